import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findCitations, findFootnotes, titlesIn } from '../support/docs-citations.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(join(root, file), 'utf8')

describe.each(['docs/security.md', 'docs/map.md', 'CONTRIBUTING.md'])('%s', file => {
  const citations = findCitations(read(file))

  test('names only existing tests', () => {
    expect(citations.length).toBeGreaterThan(10)
    expect(citations.map(({ path }) => path).filter(path => !existsSync(join(root, path)))).toEqual([])
  })

  test('cites only existing titles', () => {
    const wrong = citations.filter(
      ({ path, title }) => title !== undefined && !titlesIn(path, read(path)).includes(title),
    )
    expect(wrong).toEqual([])
  })
})

test.each([
  ['docs/security.md', 20],
  ['docs/fleets.md', 1],
])('every footnote of %s cites an existing test, and none is unused', (file, least) => {
  const { used, defined, uncited } = findFootnotes(read(file))
  expect(used.length).toBeGreaterThan(least)
  const titles = findCitations(read(file)).filter(({ title }) => title !== undefined)
  expect(titles.filter(({ path, title }) => !titlesIn(path, read(path)).includes(title as string))).toEqual(
    [],
  )
  expect([...defined].sort()).toEqual([...used].sort())
  expect(uncited).toEqual([])
})

describe('the check', () => {
  const source = `
    // test('in a comment', () => {})
    describe.each([1])('of %s', () => {
      test('one \\'title\\' [XX01, XX02]', () => log('said'))
    })
    inEveryEngine(e2e => test.for(['a'])(\n'another [YY01]', () => {}))`

  test('reads titles alone and with their describe, without case ids, and nothing else', () => {
    expect(titlesIn('one.ts', source)).toEqual(['of %s', "one 'title'", "of %s > one 'title'", 'another'])
  })

  test('finds paths in code and in links, with a title where there is one', () => {
    const markdown = [
      '`test/a.test.ts`, [b](test/b.ts) and [c](../test/c.test.ts#x)',
      '[^d]: `test/d.test.ts`: it holds; `test/e.test.ts`: of %s > it holds',
    ].join('\n')
    expect(findCitations(markdown)).toEqual([
      { path: 'test/a.test.ts', title: undefined },
      { path: 'test/b.ts', title: undefined },
      { path: 'test/c.test.ts', title: undefined },
      { path: 'test/d.test.ts', title: 'it holds' },
      { path: 'test/e.test.ts', title: 'of %s > it holds' },
    ])
  })

  test('reports footnotes that are undefined, unused, or cite no title', () => {
    const markdown = 'one[^a] and two[^b][^a]\n\n[^a]: `test/a.ts`: title\n[^c]: `test/c.ts`\n'
    expect(findFootnotes(markdown)).toEqual({ used: ['a', 'b'], defined: ['a', 'c'], uncited: ['c'] })
  })
})
