import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleScenarios } from './on-workerd/bundle.ts'
import { leftOutFiles, leftOutTests } from './on-workerd/left-out.ts'
import type { Outcome } from './on-workerd/run-file.ts'
import { pathOf, startWorkerd, type Workerd } from './workerd.ts'

const folder = fileURLToPath(new URL('../scenarios', import.meta.url))
const all = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.test.ts'))
  .map(file => file.replaceAll('\\', '/'))
  .sort()
const files = all.filter(file => !leftOutFiles[file])
let workerd: Workerd

beforeAll(async () => {
  const own = (name: string) => readFileSync(pathOf(name), 'utf8')
  workerd = await startWorkerd({
    'worker.mjs': own('worker.mjs'),
    'entries.mjs': own('entries.mjs'),
    'scenarios.js': await bundleScenarios(files),
  })
}, 120_000)
afterAll(() => workerd?.close())

async function run(file: string, without: readonly string[]) {
  const response = await fetch(workerd.url, { method: 'POST', body: JSON.stringify({ file, without }) })
  return (await response.json()) as { outcomes: Outcome[]; unhandled: string[] }
}

test('each file and test that is left out exists', () => {
  expect(all).toEqual(expect.arrayContaining([...Object.keys(leftOutFiles), ...Object.keys(leftOutTests)]))
  expect(files).toEqual(expect.arrayContaining(Object.keys(leftOutTests)))
})

// one file after the other: all files share one thread of workerd, and tests count turns of its event loop
const limit = { timeout: 180_000 }
test.for(files)(
  'the scenarios of %s pass on workerd, over the store of the docs',
  limit,
  async (file, { expect }) => {
    const without = Object.keys(leftOutTests[file] ?? {})
    const { outcomes, unhandled } = await run(file, without)
    const titles = (wanted: string) =>
      outcomes.filter(({ state }) => state === wanted).map(({ title }) => title)
    const failures = outcomes
      .filter(({ state }) => state !== 'pass' && state !== 'skip')
      .map(({ title, state, error }) => `${title}: ${state}\n${error}`)
    expect({ failures, unhandled }).toEqual({ failures: [], unhandled: [] })
    expect(titles('skip').sort()).toEqual(without.sort())
    expect(titles('pass')).not.toEqual([])
  },
)
