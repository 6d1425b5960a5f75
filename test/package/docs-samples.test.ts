import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { compileSamples, findSamples, readSamples, type Sample } from '../support/docs-samples.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const inDocs = existsSync(join(root, 'docs'))
  ? readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  : []
const files = ['README.md', ...inDocs.filter(file => file.endsWith('.md')).map(file => `docs/${file}`)]
const samples = readSamples(root, files)
const compiled = samples.filter(({ exempt }) => exempt === undefined)

const sample = (code: string, line = 7): Sample => ({
  file: 'docs/example.md',
  line,
  code,
  exempt: undefined,
})
/** What the check must report, and not more. */
const examples = [
  sample("import { createClient } from 'latchkey'\ncreateClient({ clientID: 'x' })"),
  sample("import { nothing } from 'latchkey'", 10),
  sample("import { nothing } from 'latchkey/nowhere'", 20),
  sample('const client = 1', 30),
  sample('client.toFixed()', 40),
]
// all in one program: the types of the frameworks take longest
const errors = await compileSamples(root, [...compiled, ...examples])
const ofExamples = errors.slice(compiled.length)

test('README.md has samples that are compiled', () => {
  expect(compiled.map(({ file }) => file)).toContain('README.md')
})

test.each(compiled.map((sample, index) => ({ ...sample, errors: errors[index] })))(
  'the sample at $file:$line compiles',
  sample => {
    expect(sample.errors).toEqual([])
  },
)

describe('the check', () => {
  test('names the file and line of a sample that does not compile', () => {
    expect(ofExamples[0]?.[0]).toMatch(/^docs\/example\.md:8: /)
  })

  test('reports an import that does not exist', () => {
    expect(ofExamples.slice(1, 3).map(found => found.length)).toEqual([1, 1])
  })

  test('keeps samples separate', () => {
    expect(ofExamples.slice(3).map(found => found.length)).toEqual([0, 1])
  })

  test('finds only TypeScript blocks, and the reason if one opts out', () => {
    const markdown = [
      'text',
      '```ts',
      'one',
      '```',
      '```sh',
      'npm ci',
      '```',
      '<!-- not compiled: shows a peer -->',
      '',
      '~~~ts',
      'two',
      '~~~',
      '<!-- not compiled: -->',
      '```typescript title="x"',
      'three',
      '```',
    ].join('\n')
    expect(findSamples('a.md', markdown)).toEqual([
      { file: 'a.md', line: 3, code: 'one', exempt: undefined },
      { file: 'a.md', line: 11, code: 'two', exempt: 'shows a peer' },
      { file: 'a.md', line: 15, code: 'three', exempt: undefined },
    ])
  })
})
