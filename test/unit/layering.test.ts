import { readdirSync, readFileSync } from 'node:fs'
import { posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { checkLayering, type Sources } from '../support/layering.ts'
import { exceptions } from '../support/layering-rules.ts'

const src = fileURLToPath(new URL('../../src/', import.meta.url))

const readSources = (): Sources =>
  Object.fromEntries(
    readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts'))
      .map(file => [file.split(sep).join(posix.sep), readFileSync(src + file, 'utf8')]),
  )

test('src follows its layering rules', () => {
  const sources = readSources()
  expect(Object.keys(sources)).toContain('errors.ts')
  expect(checkLayering(sources)).toEqual([])
  expect(Object.keys(sources)).toEqual(expect.arrayContaining(Object.keys(exceptions)))
})

const MOST_LINES = 100

/** The functions of a file with more lines than that. */
function longFunctionsOf(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const lines = lineOf(node.end) - lineOf(node.getStart()) + 1
    if (ts.isFunctionLike(node) && lines > MOST_LINES)
      found.push(`${file}: ${node.name?.getText()} (${lines})`)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

test(`no function of src has more than ${MOST_LINES} lines`, () => {
  expect(Object.entries(readSources()).flatMap(([file, text]) => longFunctionsOf(file, text))).toEqual([])
})

test('nothing that latchkey/lazy loads immediately imports oauth4webapi, nor do its extensions', () => {
  const sources = readSources()
  const statements = /^(?:import|export)\s(?!type\b)[^'"`]*?from\s+'([^']+)'/gm
  const reached = new Set(['lazy.ts', 'dpop.ts', 'par.ts', 'rar.ts', 'userinfo.ts'])
  const packages = new Set<string>()
  for (const path of reached) {
    for (const [, specifier = ''] of (sources[path] ?? '').matchAll(statements)) {
      if (specifier.startsWith('.')) reached.add(posix.normalize(posix.join(posix.dirname(path), specifier)))
      else packages.add(specifier)
    }
  }
  expect([...packages]).toEqual(['idb-keyval'])
  expect([...reached].filter(path => path.startsWith('authorization/'))).toEqual([])
})

test('what runs in a browser calls nothing that Safari 16.4, the oldest one with ES2022, lacks', () => {
  const newer =
    /\bURL\.(canParse|parse)\b|\bAbortSignal\.any\b|\bPromise\.(withResolvers|try)\b|\b(Object|Map)\.groupBy\b|\bArray\.fromAsync\b|\.(isSubsetOf|union|intersection|difference|transfer|toBase64)\(|Uint8Array\.from(Base64|Hex)\b|\bRegExp\.escape\b/
  const elsewhere = /^(platform\/node|resource-server|testing)\//
  const found = Object.entries(readSources()).flatMap(([path, text]) => {
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    return elsewhere.test(path) ? [] : (newer.exec(code)?.map(call => `${path}: ${call}`)[0] ?? [])
  })
  expect(found).toEqual([])
})

/** Every file that an example may import, empty unless the example fills it. */
const surroundings: Sources = Object.fromEntries(
  [
    'errors.ts',
    'options.ts',
    'client.ts',
    'index.ts',
    'ky.ts',
    'core/session.ts',
    'storage/memory.ts',
    'storage/indexeddb.ts',
    'authorization/callback.ts',
    'authorization/token-request.ts',
    'session/refresher.ts',
    'lock/web.ts',
    'storage/channel.ts',
    'fetch/auth-fetch.ts',
    'platform/browser.ts',
    'node.ts',
  ].map(file => [file, 'export {}']),
)

const breachesOf = (path: string, source: string, others: Sources = {}) =>
  checkLayering({ ...surroundings, ...others, [path]: source })

describe('the check reports', () => {
  test.each([
    ['core that imports a part', 'core/a.ts', "import { x } from '../storage/memory.ts'"],
    ['a part that imports another part', 'storage/a.ts', "import { x } from '../session/refresher.ts'"],
    ['a type taken from another part', 'fetch/a.ts', "import type { X } from '../authorization/callback.ts'"],
    ['an inline type import', 'fetch/a.ts', "export type Y = import('../authorization/callback.ts').X"],
    ['a re-export from another part', 'authorization/a.ts', "export { x } from '../storage/memory.ts'"],
    ['a star re-export from another part', 'authorization/a.ts', "export * from '../storage/memory.ts'"],
    [
      'a dynamic import of another part',
      'authorization/a.ts',
      "export const x = () => import('../storage/memory.ts')",
    ],
    ['a part that imports the client', 'session/a.ts', "import type { Client } from '../client.ts'"],
    [
      'an exception that imports more',
      'grants/poll.ts',
      "import { x } from '../authorization/token-request.ts'",
    ],
    ['an action that imports more of flow', 'actions/a.ts', "import '../authorization/token-request.ts'"],
    ['a grant that imports more of flow', 'grants/a.ts', "import { x } from '../authorization/callback.ts'"],
    [
      'a resource server that imports flow',
      'resource-server/a.ts',
      "import '../authorization/token-request.ts'",
    ],
    ['errors that import anything', 'errors.ts', "import type { X } from './core/session.ts'"],
    ['options that import a part', 'options.ts', "import { x } from './storage/memory.ts'"],
    [
      'a client that imports the second half',
      'client.ts',
      "import { x } from './authorization/token-request.ts'",
    ],
    ['a client that imports a runtime', 'client.ts', "import { x } from './platform/browser.ts'"],
    ['a ky entry that imports a part', 'ky.ts', "import { x } from './fetch/auth-fetch.ts'"],
    [
      'a sealing entry that imports a part',
      'platform/sealed.ts',
      "import { x } from '../session/refresher.ts'",
    ],
    ['a file without a layer', 'helpers/a.ts', "import '../errors.ts'"],
    ['an import of no file', 'core/a.ts', "import '../../test/support/clock.ts'"],
    ['idb-keyval outside its door', 'storage/memory.ts', "import { get } from 'idb-keyval'"],
    ['ky outside its door', 'fetch/a.ts', "import type { KyInstance } from 'ky'"],
    ['oauth4webapi outside its door', 'core/a.ts', "import type { Client } from 'oauth4webapi'"],
    ['a package without a door', 'authorization/a.ts', "import x from 'lodash'"],
    ['node: outside the adapters', 'authorization/a.ts', "import { join } from 'node:path'"],
    ['a global by its name', 'authorization/a.ts', 'export const x = () => window.name'],
    ['a global in shorthand', 'authorization/a.ts', 'export const x = () => ({ location })'],
    ['a global behind typeof', 'fetch/a.ts', "export const x = typeof document === 'undefined'"],
    ['a global through globalThis', 'fetch/a.ts', 'export const x = () => globalThis.localStorage'],
    ['a global through self and a string', 'fetch/a.ts', "export const x = () => self['indexedDB']"],
    ['a global destructured', 'client.ts', 'export const x = () => { const { length } = history }'],
    [
      'a global that the file declares',
      'client.ts',
      'declare const navigator: { locks: unknown }\nnavigator',
    ],
    ['a global in the refresher', 'session/refresher.ts', 'export const x = () => navigator.onLine'],
    ['async in the core', 'core/a.ts', 'export const x = async () => 1'],
    ['await in the core', 'core/a.ts', 'export const x = await 1'],
    ['the clock in the core', 'core/a.ts', 'export const x = () => Date.now()'],
    ['the current date in the core', 'core/a.ts', 'export const x = () => new Date()'],
    ['randomness in the core', 'core/a.ts', 'export const x = () => Math.random()'],
    ['crypto in the core', 'core/a.ts', 'export const x = () => globalThis.crypto.randomUUID()'],
    ['a timer in the core', 'core/a.ts', 'export const x = () => setTimeout(x, 1)'],
    ['a default export', 'storage/a.ts', 'export default function x() {}'],
    ['a default export by name', 'storage/a.ts', 'const x = 1\nexport { x as default }'],
    ['a default export by assignment', 'storage/a.ts', 'export default 1'],
    ['module-level let', 'storage/a.ts', 'export let x = 1'],
    ['module-level var', 'storage/a.ts', 'var x = 1'],
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

  test('a browser entry that reaches a file which requires Node', () => {
    const others = { 'platform/browser.ts': "import './a.ts'", 'platform/a.ts': "import 'node:fs'" }
    expect(breachesOf('index.ts', "export * from './platform/browser.ts'", others)).toEqual([
      'index.ts: reaches platform/a.ts, which needs Node',
    ])
  })
})

describe('the check allows', () => {
  test.each([
    [
      'a part that imports core and errors',
      'authorization/a.ts',
      "import '../core/session.ts'\nimport '../errors.ts'",
    ],
    ['a part that imports itself', 'session/a.ts', "import './refresher.ts'"],
    ['a client that imports its parts', 'client.ts', "import './fetch/auth-fetch.ts'\nimport './options.ts'"],
    ['a package at its door', 'storage/indexeddb.ts', "import { get } from 'idb-keyval'"],
    ['the environment in an adapter', 'node.ts', "import 'node:fs'\nexport const x = () => navigator"],
    ['the environment in a lock', 'lock/web.ts', 'export const x = () => navigator.locks'],
    ['a member of that name', 'client.ts', 'export const x = (o: { location: string }) => o.location'],
    [
      'an option of that name',
      'client.ts',
      'export const x = { history: 1 }\nexport type T = { window?(): void }',
    ],
    ['a local of that name', 'client.ts', 'export const x = (location: string) => ({ location })'],
    ['a renamed member', 'client.ts', 'export const x = ({ location: at }: { location: 1 }) => at'],
    ['a type of a global in the core', 'core/a.ts', 'export type Fetch = typeof globalThis.fetch'],
    ['a promised response in the core', 'core/a.ts', 'export interface X { get(): Promise<string> }'],
    ['a parsed date in the core', 'core/a.ts', 'export const x = (text: string) => Date.parse(text)'],
    ['let within a function', 'core/a.ts', 'export const x = () => { let y = 1; return y }'],
  ])('%s', (_what, path, source) => {
    expect(breachesOf(path, source)).toEqual([])
  })
})
