import { describe, expect, test } from 'vitest'
import { closingLine, joinReports, judgeRun, type RunReport, slowestFiles } from '../support/run-report.ts'

const files = {
  node: ['test/unit/a.test.ts'],
  alone: ['examples/testing/f.test.ts'],
  package: ['test/package/b.test.ts'],
  browser: ['test/browser/c.test.ts'],
  'end-to-end': ['test/browser/e2e/d.test.ts'],
  engines: ['test/browser/engines/e.test.ts'],
}
const onDisk = Object.values(files).flat()
const green: RunReport = { passed: 4, failed: 0, skipped: 0, errors: 0, files, seconds: {}, evidence: [] }

describe('a full run', () => {
  test('is green when every file ran and every test passed', () => {
    expect(judgeRun(green, 0, onDisk)).toEqual([])
    expect(closingLine(green)).toBe('4 passed, 0 failed')
  })

  test.each<[string, Partial<RunReport>, RegExp]>([
    ['a test failed', { failed: 1 }, /1 of the tests failed/],
    ['a test was skipped', { skipped: 1 }, /1 tests were skipped/],
    ['a rejection was unhandled', { errors: 1 }, /outside of the tests/],
    [
      'a project had nothing to run',
      { files: { ...files, browser: [] } },
      /No test of the project "browser"/,
    ],
    [
      'a file was left out',
      { files: { ...files, node: ['test/unit/other.test.ts'] } },
      /test\/unit\/a\.test\.ts/,
    ],
  ])('is red when %s', (_what, change, problem) => {
    expect(judgeRun({ ...green, ...change }, 0, onDisk).join(' ')).toMatch(problem)
  })

  test('is red if vitest says so even if the counts do not', () => {
    expect(judgeRun(green, 1, onDisk)).toEqual(['vitest ended with status 1.'])
  })

  test('counts errors outside of tests as failures in its closing line', () => {
    expect(closingLine({ ...green, failed: 1, errors: 2, skipped: 3 })).toBe('4 passed, 3 failed, 3 skipped')
  })
})

test('the reports of two runs are joined', () => {
  const { engines, ...others } = files
  const evidence = [{ ids: ['RS01'], file: 'a', title: 'b', passed: true }]
  const one = { ...green, failed: 1, files: others, seconds: { 'node a': 3 } }
  const other = { ...green, files: { engines }, seconds: { 'engines e': 41 }, evidence }
  expect(joinReports([one, other])).toEqual({
    ...{ passed: 8, failed: 1, skipped: 0, errors: 0 },
    ...{ files, seconds: { 'node a': 3, 'engines e': 41 }, evidence },
  })
})

test('a full run lists its slowest files, the slowest first', () => {
  const seconds = { 'node a.test.ts': 3, 'engines b.test.ts': 41, 'package c.test.ts': 7 }
  expect(slowestFiles({ ...green, seconds }, 2)).toEqual([
    '   41 s  engines b.test.ts',
    '    7 s  package c.test.ts',
  ])
})
