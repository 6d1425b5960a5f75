import { describe, expect, test } from 'vitest'
import {
  type Case,
  type Evidence,
  formatConformance,
  judgeConformance,
  parseCases,
  parseFindings,
  readTitle,
  readTitles,
} from '../conformance/conformance.ts'

const cases: Case[] = ['AA01', 'AA02', 'BB01'].map(id => ({
  id,
  source: 'RFC 1',
  requirement: 'a; b: c',
  severity: 'MUST',
  component: 'flow',
}))
const shows = (ids: string[], passed = true, title = 'it works'): Evidence => ({
  ids,
  file: 'test/a.test.ts',
  title,
  passed,
})
const findings = [{ id: 'F1.10', seen: 'two were sent', right: 'one is' }]
const nothing = { decisions: {}, notYet: [] }
const whole = [shows(['AA01', 'AA02']), shows(['BB01'])]

describe('the cases that tests name', () => {
  test('a test shows the ids in the titles of the suites around it, too', () => {
    expect(readTitles(['the refresh [F2.1]', 'at a server [RF02]', 'is sent once [F2.1, RF03]'])).toEqual({
      ids: ['F2.1', 'RF02', 'RF03'],
      title: 'is sent once',
    })
  })

  test('are read only from the end of a title', () => {
    expect(readTitle('a state that nobody knows [RS01, RS02]')).toEqual({
      ids: ['RS01', 'RS02'],
      title: 'a state that nobody knows',
    })
    expect(readTitle('one redemption [F1.1, RF02]').ids).toEqual(['F1.1', 'RF02'])
    for (const title of ['no ids', 'an array [1]', '[AA01] first', 'joined[AA01]']) {
      expect(readTitle(title)).toEqual({ ids: [], title })
    }
  })

  test('are complete if each has a passed test or a decision', () => {
    expect(judgeConformance(cases, nothing, whole)).toEqual([])
    expect(judgeConformance(cases, { ...nothing, decisions: { BB01: 'why' } }, whole.slice(0, 1))).toEqual([])
    expect(judgeConformance(cases, { ...nothing, notYet: ['BB01'] }, whole.slice(0, 1))).toEqual([])
  })

  test.each<[string, Evidence[], Partial<typeof nothing>, RegExp]>([
    ['one has no test', whole.slice(0, 1), {}, /neither a test nor a decision: BB01\./],
    ['one does not exist', [...whole, shows(['ZZ99'])], {}, /do not exist: ZZ99\./],
    [
      'one has both a decision against it and a test',
      whole,
      { decisions: { AA01: 'why' } },
      /decision against them: AA01\./,
    ],
    [
      'one that has a test is still listed as missing',
      whole,
      { notYet: ['AA02'] as never },
      /notYet: AA02\./,
    ],
    ['one of its tests failed', [...whole, shows(['BB01'], false, 'other')], {}, /failed: BB01\./],
    ['its test failed in one of the engines', [...whole, shows(['BB01'], false)], {}, /failed: BB01\./],
  ])('are incomplete if %s', (_what, evidence, change, problem) => {
    expect(judgeConformance(cases, { ...nothing, ...change }, evidence).join(' ')).toMatch(problem)
  })

  test('form a table that shows missing and failed ones', () => {
    const decided = { decisions: { AA02: 'not a server' }, notYet: [] }
    const table = formatConformance(cases, findings, decided, [
      shows(['AA01']),
      shows(['AA01'], true, 'a | b'),
    ])
    expect(table).toContain('1 passed, 1 decided, 1 missing or failed.')
    expect(table).toContain(
      '| AA01 | RFC 1 | a; b: c | MUST | flow | `test/a.test.ts`: a \\| b<br>`test/a.test.ts`: it works | passed |',
    )
    expect(table).toContain('| not a server | decided |')
    expect(table).toMatch(/\| BB01 .* \| {2}\| \*\*missing\*\* \|/)
    expect(table).toContain('| F1.10 | two were sent | one is |  | **missing** |')
    expect(parseCases(table).map(({ id }) => id)).toEqual(['AA01', 'AA02', 'BB01'])
    expect(parseFindings(table).map(({ id }) => id)).toEqual(['F1.10'])
  })
})
