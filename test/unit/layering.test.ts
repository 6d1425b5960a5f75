import { readdirSync, readFileSync } from 'node:fs'
import { posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { checkLayering, type Sources } from '../support/layering.ts'

const src = fileURLToPath(new URL('../../src/', import.meta.url))

const readSources = (): Sources =>
  Object.fromEntries(
    readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts'))
      .map(file => [file.split(sep).join(posix.sep), readFileSync(src + file, 'utf8')]),
  )

test('src keeps to its layers', () => {
  const sources = readSources()
  expect(Object.keys(sources)).toContain('errors.ts')
  expect(checkLayering(sources)).toEqual([])
})

/** Every file an example may point to, empty unless the example fills it. */
const surroundings: Sources = Object.fromEntries(
  [
    'errors.ts',
    'options.ts',
    'client.ts',
    'index.ts',
    'ky.ts',
    'core/session.ts',
    'store/memory.ts',
    'store/indexeddb.ts',
    'flow/callback.ts',
    'flow/token-request.ts',
    'refresh/refresher.ts',
    'refresh/lock-web.ts',
    'refresh/channel.ts',
    'fetch/auth-fetch.ts',
    'runtime/browser.ts',
    'runtime/node.ts',
  ].map(file => [file, 'export {}']),
)

const breachesOf = (path: string, source: string, others: Sources = {}) =>
  checkLayering({ ...surroundings, ...others, [path]: source })

describe('the check reports', () => {
  test.each([
    ['core that imports a part', 'core/a.ts', "import { x } from '../store/memory.ts'"],
    ['a part that imports another part', 'store/a.ts', "import { x } from '../refresh/refresher.ts'"],
    ['a type taken from another part', 'fetch/a.ts', "import type { X } from '../flow/callback.ts'"],
    ['an inline type import', 'fetch/a.ts', "export type Y = import('../flow/callback.ts').X"],
    ['a re-export from another part', 'flow/a.ts', "export { x } from '../store/memory.ts'"],
    ['a star re-export from another part', 'flow/a.ts', "export * from '../store/memory.ts'"],
    ['a dynamic import of another part', 'flow/a.ts', "export const x = () => import('../store/memory.ts')"],
    ['a part that imports the client', 'refresh/a.ts', "import type { Client } from '../client.ts'"],
    ['a grant that imports more of flow', 'grants/a.ts', "import { x } from '../flow/callback.ts'"],
    ['a resource server that imports flow', 'resource-server/a.ts', "import '../flow/token-request.ts'"],
    ['errors that import anything', 'errors.ts', "import type { X } from './core/session.ts'"],
    ['options that import a part', 'options.ts', "import { x } from './store/memory.ts'"],
    ['a client that imports a runtime', 'client.ts', "import { x } from './runtime/browser.ts'"],
    ['a ky entry that imports a part', 'ky.ts', "import { x } from './fetch/auth-fetch.ts'"],
    [
      'a sealing entry that imports a part',
      'runtime/sealed.ts',
      "import { x } from '../refresh/refresher.ts'",
    ],
    ['a file without a layer', 'helpers/a.ts', "import '../errors.ts'"],
    ['an import of no file', 'core/a.ts', "import '../../test/support/clock.ts'"],
    ['idb-keyval outside of its door', 'store/memory.ts', "import { get } from 'idb-keyval'"],
    ['ky outside of its door', 'fetch/a.ts', "import type { KyInstance } from 'ky'"],
    ['oauth4webapi outside of its door', 'core/a.ts', "import type { Client } from 'oauth4webapi'"],
    ['a package without a door', 'flow/a.ts', "import x from 'lodash'"],
    ['node: outside of the adapters', 'flow/a.ts', "import { join } from 'node:path'"],
    ['a global by its name', 'flow/a.ts', 'export const x = () => window.name'],
    ['a global in shorthand', 'flow/a.ts', 'export const x = () => ({ location })'],
    ['a global behind typeof', 'fetch/a.ts', "export const x = typeof document === 'undefined'"],
    ['a global through globalThis', 'fetch/a.ts', 'export const x = () => globalThis.localStorage'],
    ['a global through self and a string', 'fetch/a.ts', "export const x = () => self['indexedDB']"],
    ['a global destructured', 'client.ts', 'export const x = () => { const { length } = history }'],
    [
      'a global that the file declares',
      'client.ts',
      'declare const navigator: { locks: unknown }\nnavigator',
    ],
    ['a global in the refresher', 'refresh/refresher.ts', 'export const x = () => navigator.onLine'],
    ['async in the core', 'core/a.ts', 'export const x = async () => 1'],
    ['await in the core', 'core/a.ts', 'export const x = await 1'],
    ['the clock in the core', 'core/a.ts', 'export const x = () => Date.now()'],
    ['the present date in the core', 'core/a.ts', 'export const x = () => new Date()'],
    ['chance in the core', 'core/a.ts', 'export const x = () => Math.random()'],
    ['crypto in the core', 'core/a.ts', 'export const x = () => globalThis.crypto.randomUUID()'],
    ['a timer in the core', 'core/a.ts', 'export const x = () => setTimeout(x, 1)'],
    ['a default export', 'store/a.ts', 'export default function x() {}'],
    ['a default export by name', 'store/a.ts', 'const x = 1\nexport { x as default }'],
    ['a default export by assignment', 'store/a.ts', 'export default 1'],
    ['module-level let', 'store/a.ts', 'export let x = 1'],
    ['module-level var', 'store/a.ts', 'var x = 1'],
  ])('%s', (_what, path, source) => {
    const breaches = breachesOf(path, source)
    expect(breaches).not.toEqual([])
    for (const breach of breaches) expect(breach).toMatch(new RegExp(`^${path.replace('.', '\\.')}:\\d+: `))
  })

  test('a cycle of imports', () => {
    const others = { 'core/b.ts': "import './c.ts'", 'core/c.ts': "import './a.ts'" }
    expect(breachesOf('core/a.ts', "import './b.ts'", others)).toEqual([
      'core/b.ts -> core/c.ts -> core/a.ts -> core/b.ts: a cycle of imports',
    ])
  })

  test('an entry for browsers that reaches a file which needs Node', () => {
    const others = { 'runtime/browser.ts': "import './a.ts'", 'runtime/a.ts': "import 'node:fs'" }
    expect(breachesOf('index.ts', "export * from './runtime/browser.ts'", others)).toEqual([
      'index.ts: reaches runtime/a.ts, which needs Node',
    ])
  })
})

describe('the check lets through', () => {
  test.each([
    [
      'a part that imports core and errors',
      'flow/a.ts',
      "import '../core/session.ts'\nimport '../errors.ts'",
    ],
    ['a part that imports itself', 'refresh/a.ts', "import './refresher.ts'"],
    [
      'a client that imports the four parts',
      'client.ts',
      "import './store/memory.ts'\nimport './options.ts'",
    ],
    ['a package at its door', 'store/indexeddb.ts', "import { get } from 'idb-keyval'"],
    [
      'the environment in an adapter',
      'runtime/node.ts',
      "import 'node:fs'\nexport const x = () => navigator",
    ],
    ['the environment in a lock', 'refresh/lock-web.ts', 'export const x = () => navigator.locks'],
    ['a member of that name', 'client.ts', 'export const x = (o: { location: string }) => o.location'],
    [
      'an option of that name',
      'client.ts',
      'export const x = { history: 1 }\nexport type T = { window?(): void }',
    ],
    ['a local of that name', 'client.ts', 'export const x = (location: string) => ({ location })'],
    ['a renamed member', 'client.ts', 'export const x = ({ location: at }: { location: 1 }) => at'],
    ['a type of a global in the core', 'core/a.ts', 'export type Fetch = typeof globalThis.fetch'],
    ['a promised answer in the core', 'core/a.ts', 'export interface X { get(): Promise<string> }'],
    ['a parsed date in the core', 'core/a.ts', 'export const x = (text: string) => Date.parse(text)'],
    ['let within a function', 'core/a.ts', 'export const x = () => { let y = 1; return y }'],
  ])('%s', (_what, path, source) => {
    expect(breachesOf(path, source)).toEqual([])
  })
})
