import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** The numbered steps of the errands in CONTRIBUTING.md. */
const steps = (/^## Three errands\n([\s\S]*?)^## /m.exec(read('CONTRIBUTING.md'))?.[1] ?? '')
  .split(/^\d\. /m)
  .slice(1)
  .map(step => step.split('\n\n')[0] ?? '')

const quotesOf = (step: string) => [...step.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote)

test.each(['CONTRIBUTING.md', 'docs/map.md'])('every file of src that %s names exists', doc => {
  const files = quotesOf(read(doc)).filter(quote => /^src\/.*\.ts$/.test(quote))
  expect(files.length).toBeGreaterThan(1)
  expect(files.filter(file => !existsSync(join(root, file)))).toEqual([])
})

test('the errands of a newcomer name a file first, and it exists', () => {
  expect(steps).toHaveLength(9)
  const files = steps.map(step => quotesOf(step)[0] ?? '')
  expect(files.filter(file => !existsSync(join(root, file)))).toEqual([])
})

test.each(steps)('every name in the errand %s is in its file', step => {
  const [file = '', ...names] = quotesOf(step)
  const isThere = (name: string) => existsSync(join(root, name)) || read(file).includes(name)
  const missing = names.filter(name => !isThere(name.replace(/\(\)$/, '')))
  expect(missing).toEqual([])
})
