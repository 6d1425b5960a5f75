import type { Evidence } from '../conformance/conformance.ts'

/** The reporter's data about one vitest run. */
export interface RunReport {
  readonly passed: number
  readonly failed: number
  /** Skipped and todo. */
  readonly skipped: number
  /** Errors outside of tests: unhandled rejections, files that could not be loaded, failed hooks of a file. */
  readonly errors: number
  /** The test files of the run, relative to the repository, by project. */
  readonly files: Readonly<Record<string, readonly string[]>>
  /** How long the tests of each file took, by project and file. */
  readonly seconds: Readonly<Record<string, number>>
  /** The tests that name cases of test/conformance. */
  readonly evidence: readonly Evidence[]
}

/** Joins the reports of several vitest runs. */
export const joinReports = (reports: readonly RunReport[]): RunReport => {
  const sum = (of: (report: RunReport) => number) => reports.reduce((total, report) => total + of(report), 0)
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    skipped: sum(({ skipped }) => skipped),
    errors: sum(({ errors }) => errors),
    files: Object.assign({}, ...reports.map(({ files }) => files)),
    seconds: Object.assign({}, ...reports.map(({ seconds }) => seconds)),
    evidence: reports.flatMap(({ evidence }) => evidence),
  }
}

/** Projects that a full run must include. */
const PROJECTS = ['node', 'alone', 'package', 'browser', 'end-to-end', 'engines']

/**
 * Returns one sentence for each reason why a full run fails; none if it passes.
 * @param onDisk every test file of the repository, relative to it.
 */
export function judgeRun(report: RunReport, exitCode: number, onDisk: readonly string[]): string[] {
  const problems: string[] = []
  const ran = new Set(Object.values(report.files).flat())
  const left = onDisk.filter(file => !ran.has(file))
  if (report.failed > 0) problems.push(`${report.failed} of the tests failed.`)
  if (report.errors > 0) problems.push(`${report.errors} errors happened outside of the tests.`)
  if (report.skipped > 0) problems.push(`${report.skipped} tests were skipped, and no test may be.`)
  if (left.length > 0) problems.push(`No project in test/vitest.config.ts ran ${left.join(', ')}.`)
  for (const project of PROJECTS) {
    if (!report.files[project]?.length) problems.push(`No test of the project "${project}" ran.`)
  }
  if (exitCode !== 0 && problems.length === 0) problems.push(`vitest ended with status ${exitCode}.`)
  return problems
}

/** The closing line that CI reads. Errors outside of tests count as failures. */
export const closingLine = ({ passed, failed, errors, skipped }: RunReport): string =>
  `${passed} passed, ${failed + errors} failed${skipped ? `, ${skipped} skipped` : ''}`

/** The files whose tests took longest, to find out how to shorten a run. */
export const slowestFiles = ({ seconds }: RunReport, count = 12): string[] =>
  Object.entries(seconds)
    .sort(([, one], [, other]) => other - one)
    .slice(0, count)
    .map(([file, took]) => `${String(took).padStart(5)} s  ${file}`)
