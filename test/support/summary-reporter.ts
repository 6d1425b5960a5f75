import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'
import { type Evidence, readTitles } from '../conformance/conformance.ts'
import type { RunReport } from './run-report.ts'

/** The environment variable with the path of the report. test/run.ts sets it. */
export const REPORT_VARIABLE = 'LATCHKEY_RUN_REPORT'

/** The titles of the suites around a test, then its own. */
function titlesOf(test: TestCase): string[] {
  const titles = [test.name]
  let around: TestSuite | TestModule = test.parent
  while (around.type === 'suite') {
    titles.unshift(around.name)
    around = around.parent
  }
  return titles
}

const report = (modules: readonly TestModule[], unhandled: number): RunReport => {
  const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
  const files: Record<string, string[]> = {}
  const seconds: Record<string, number> = {}
  const evidence: Evidence[] = []
  let errors = unhandled
  for (const module of modules) {
    const tests = [...module.children.allTests()]
    for (const test of tests) count[test.result().state]++
    for (const suite of module.children.allSuites()) errors += suite.errors().length
    errors += module.errors().length
    const file = relative(module.project.vitest.config.root, module.moduleId)
    seconds[`${module.project.name} ${file}`] = Math.round(module.diagnostic().duration / 1000)
    for (const test of tests) {
      const { ids, title } = readTitles(titlesOf(test))
      if (ids.length) evidence.push({ ids, file, title, passed: test.result().state === 'passed' })
    }
    files[module.project.name] = [...(files[module.project.name] ?? []), file]
  }
  // a test that did not finish has not passed
  return {
    passed: count.passed,
    failed: count.failed + count.pending,
    skipped: count.skipped,
    errors,
    files,
    seconds,
    evidence,
  }
}

/** Writes the counts of the run for test/run.ts, which prints the closing line. */
export const createSummaryReporter = (): Reporter => ({
  onTestRunEnd(modules, unhandledErrors) {
    const target = process.env[REPORT_VARIABLE]
    if (target) writeFileSync(target, JSON.stringify(report(modules, unhandledErrors.length)))
  },
})
