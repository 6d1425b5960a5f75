import { expect, inject, test, vi } from 'vitest'
import { bundle } from './bundle.ts'
import { measureLazy } from './lazy-size.ts'
import { measure, overBudget } from './measure.ts'

const { app, folder } = inject('packed')
const importer = `${folder}/app.js`

// a bundle of everything keeps a core busy for ten seconds, and longer on a machine that is shared
vi.setConfig({ testTimeout: 300_000 })

test('every entry is within its budget', async () => {
  expect(overBudget(await measure(folder))).toEqual([])
})

test('an entry over its budget is reported by name', () => {
  const size = { min: 1, gzip: 20_000, brotli: 1 }
  expect(overBudget([{ what: 'latchkey', size, budget: 14_336 }])).toEqual([
    'latchkey has 20000 bytes with gzip, 5664 over its budget of 14336.',
  ])
})

const packagesIn = (modules: Iterable<string>) =>
  new Set([...modules].map(id => id.replaceAll('\\', '/').match(/.*\/node_modules\/([^/]+)\//)?.[1]))

test('latchkey loads neither ky nor any Node module', async () => {
  const { modules, external } = await bundle("export * from 'latchkey'", importer)
  expect(packagesIn(modules.keys())).toEqual(new Set(['latchkey', 'oauth4webapi', 'idb-keyval']))
  expect([...modules.keys()].filter(id => id.endsWith('/dist/node.js'))).toEqual([])
  expect(external).toEqual([])
})

test('latchkey/node loads neither ky nor IndexedDB', async () => {
  const { modules } = await bundle("export * from 'latchkey/node'", importer)
  expect(packagesIn(modules.keys())).toEqual(new Set(['latchkey', 'oauth4webapi']))
})

test('latchkey/providers loads no part of the client, and an app gets the providers that it imports', async () => {
  const { modules, code } = await bundle("export { google } from 'latchkey/providers'", importer)
  expect(packagesIn(modules.keys())).toEqual(new Set(['latchkey']))
  expect(code).toContain('accounts.google.com')
  expect(code).not.toContain('spotify')
})

test('latchkey/ky loads ky and no part of the client', async () => {
  const { modules, external } = await bundle("export * from 'latchkey/ky'", importer)
  expect(packagesIn(modules.keys())).toEqual(new Set(['latchkey', 'ky']))
  expect(external).toEqual([])
})

test('latchkey/sealed loads no part of the client', async () => {
  const { modules, external } = await bundle("export * from 'latchkey/sealed'", importer)
  expect(packagesIn(modules.keys())).toEqual(new Set(['latchkey', 'idb-keyval']))
  expect(external).toEqual([])
})

test.each(['latchkey/testing', 'latchkey/inspector'])(
  '%s loads no package and no code that sends requests to the server',
  async entry => {
    const { modules, external } = await bundle(`export * from '${entry}'`, importer)
    expect(packagesIn(modules.keys())).toEqual(new Set(['latchkey']))
    expect(external).toEqual([])
  },
)

test('an app that does not seal its store does not load the sealing code', async () => {
  const holdsIt = async (entry: string) =>
    (await bundle(`export * from '${entry}'`, importer)).code.includes('AES-GCM')
  expect(await holdsIt('latchkey/sealed')).toBe(true)
  expect(await holdsIt('latchkey')).toBe(false)
  expect(await holdsIt('latchkey/node')).toBe(false)
})

test('an app that imports one error class loads only that class', async () => {
  const { modules, size } = await bundle("export { NetworkError } from 'latchkey'", importer)
  expect(packagesIn(modules.keys())).toEqual(new Set(['latchkey']))
  expect(size.min).toBeLessThan(1024)
})

test('an app that imports nothing by name loads nothing', async () => {
  const { modules } = await bundle(
    "import 'latchkey'\nimport 'latchkey/node'\nimport 'latchkey/sealed'",
    importer,
  )
  expect([...modules.keys()]).toEqual([])
})

test('latchkey/lazy stays within its budget with every bundler: the first load, and the cost of the split', async () => {
  const sizes = await measureLazy(app)
  expect(sizes.map(({ bundler }) => bundler)).toEqual(['rollup', 'esbuild', 'Vite', 'webpack'])
  for (const { bundler, first, second, onePiece } of sizes) {
    const isTightest = bundler === 'rollup'
    expect(first, `first load by ${bundler}`).toBeLessThanOrEqual((isTightest ? 12.5 : 14) * 1024)
    expect(first + second - onePiece, `cost of the split by ${bundler}`).toBeLessThan(
      (isTightest ? 2.2 : 4.2) * 1024,
    )
  }
})
