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
const errors = compileSamples(root, compiled)

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
  const sample = (code: string): Sample => ({ file: 'docs/example.md', line: 7, code, exempt: undefined })

  test('names the file and line of a sample that does not compile', () => {
    const wrong = "import { createClient } from 'latchkey'\ncreateClient({ clientID: 'x' })"
    expect(compileSamples(root, [sample(wrong)])[0]?.[0]).toMatch(/^docs\/example\.md:8: /)
  })

  test('reports an import that does not exist', () => {
    expect(compileSamples(root, [sample("import { nothing } from 'latchkey'")])[0]).toHaveLength(1)
    expect(compileSamples(root, [sample("import { nothing } from 'latchkey/nowhere'")])[0]).toHaveLength(1)
  })

  test('keeps samples separate', () => {
    const two = [sample('const client = 1'), { ...sample('client.toFixed()'), line: 20 }]
    expect(compileSamples(root, two).map(found => found.length)).toEqual([0, 1])
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
