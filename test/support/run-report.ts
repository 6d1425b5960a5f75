import type { Evidence } from '../conformance/conformance.ts'

/** What the reporter saw of one vitest run. */
export interface RunReport {
  readonly passed: number
  readonly failed: number
  /** Skipped and todo. */
  readonly skipped: number
  /** Errors outside of any test: unhandled rejections, files that could not be loaded, failed hooks of a file. */
  readonly errors: number
  /** Test files that were run, relative to the repository, by project. */
  readonly files: Readonly<Record<string, readonly string[]>>
  /** How long the tests of each file took, by project and file. */
  readonly seconds: Readonly<Record<string, number>>
  /** The tests that name cases of test/conformance. */
  readonly evidence: readonly Evidence[]
}

/** Projects that have to take part in a full run. */
const PROJECTS = ['node', 'package', 'browser', 'end-to-end']

/**
 * What makes a full run red: one sentence per finding, none when it is green.
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

/** The files whose tests took longest, for whoever wants to make a run shorter. */
export const slowestFiles = ({ seconds }: RunReport, count = 12): string[] =>
  Object.entries(seconds)
    .sort(([, one], [, other]) => other - one)
    .slice(0, count)
    .map(([file, took]) => `${String(took).padStart(5)} s  ${file}`)
