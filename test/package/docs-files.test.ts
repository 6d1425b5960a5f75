import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** The code blocks of a document that are also files of `folder`. */
const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => /\.([cm]?[jt]sx?|svelte|vue)$/.test(file) && !file.endsWith('.d.ts'))
    .map(file => `${folder}/${file}`)

const blocksOf = (doc: string) =>
  [...read(doc).matchAll(/^```(?:tsx?|js|svelte|vue)\n([\s\S]*?)^```$/gm)].map(([, code = '']) =>
    code.trimEnd(),
  )

test.each([
  ['docs/testing.md', 'examples/testing'],
  ['docs/inspector.md', 'examples/inspector'],
  ['docs/react.md', 'examples/bindings'],
  ['docs/vue.md', 'examples/bindings'],
  ['docs/svelte.md', 'examples/bindings'],
  ['docs/solid.md', 'examples/bindings'],
  ['docs/angular.md', 'examples/bindings'],
])('every code block of %s is a file of %s, which tests run or compile', (doc, folder) => {
  const files = filesIn(folder).map(file => read(file).trimEnd())
  const blocks = blocksOf(doc)
  expect(blocks.length).toBeGreaterThan(0)
  expect(blocks.filter(block => !files.includes(block))).toEqual([])
})
