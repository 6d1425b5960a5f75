import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { publint } from 'publint'
import { expect, inject, test } from 'vitest'
import { runCommand } from '../support/command.ts'
import { tempFolders } from '../support/temp-folder.ts'
import { readEntries } from './installed.ts'

const { tarball, folder, app } = inject('packed')
const entries = readEntries(folder)
const tempFolder = tempFolders()
const names = entries.map(({ name }) => name)

const filesIn = (place: string) =>
  readdirSync(place, { recursive: true, withFileTypes: true })
    .filter(file => file.isFile())
    .map(file => relative(place, join(file.parentPath, file.name)).replaceAll('\\', '/'))

/** A fresh Node process in the app. A process that does not exit fails at the time limit. */
const node = (...args: string[]) =>
  runCommand(process.execPath, args, { cwd: app, timeoutMs: 15_000, env: { NODE_OPTIONS: '' } })

/** Angular's packages require its compiler, or an app's build, to be imported first. */
const compilerOf = (name: string) => (name.startsWith('latchkey/angular') ? '@angular/compiler' : undefined)

const clean = { code: 0, timedOut: false, output: '' }

test('the package contains its entries', () => {
  expect(names).toEqual([
    'latchkey',
    'latchkey/lazy',
    'latchkey/node',
    'latchkey/adopt',
    'latchkey/angular',
    'latchkey/angular-http',
    'latchkey/back-channel-logout',
    'latchkey/capabilities',
    'latchkey/clients',
    'latchkey/client-authentication',
    'latchkey/dpop',
    'latchkey/extending',
    'latchkey/grants',
    'latchkey/front-channel-logout',
    'latchkey/id-token',
    'latchkey/inspector',
    'latchkey/keychain',
    'latchkey/ky',
    'latchkey/par',
    'latchkey/providers',
    'latchkey/rar',
    'latchkey/redis',
    'latchkey/react',
    'latchkey/react-router',
    'latchkey/resource-server',
    'latchkey/sealed',
    'latchkey/session-limits',
    'latchkey/solid',
    'latchkey/svelte',
    'latchkey/tanstack-router',
    'latchkey/testing',
    'latchkey/terminal',
    'latchkey/third-party-login',
    'latchkey/userinfo',
    'latchkey/vue',
    'latchkey/webview',
    'latchkey/worker',
    'latchkey/worker-host',
  ])
})

test('the package contains only dist, docs, README, LICENSE and package.json [F4.14]', () => {
  const files = filesIn(folder)
  expect(files.filter(file => file.startsWith('docs/') && !/\.(md|png)$/.test(file))).toEqual([])
  expect(files).toContain('docs/errors.md')
  expect(files.filter(file => !/^(dist|docs)\//.test(file)).sort()).toEqual([
    'LICENSE',
    'README.md',
    'package.json',
  ])
  expect(files.filter(file => file.startsWith('dist/') && !/\.(js|js\.map|d\.ts)$/.test(file))).toEqual([])
})

test('all installed dependencies support the lowest Node version of the package [F4.7]', () => {
  const manifestOf = (place: string) => JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'))
  const { dependencies, engines, peerDependencies, peerDependenciesMeta } = manifestOf(folder)
  expect(engines.node).toBe('>=20.19')
  for (const name of Object.keys(dependencies)) {
    const dependency = manifestOf(join(app, 'node_modules', name))
    // no dependencies of its own, and no engine range that `npm install --engine-strict` would reject
    expect([name, dependency.dependencies ?? {}, dependency.engines?.node ?? 'any']).toEqual([
      name,
      {},
      'any',
    ])
  }
  for (const name of Object.keys(peerDependencies))
    expect(peerDependenciesMeta[name]).toEqual({ optional: true })
})

test('npm installs the package with --engine-strict, and nothing but its dependencies [F4.7]', async () => {
  const place = tempFolder()
  writeFileSync(join(place, 'package.json'), '{ "private": true }')
  const options = ['--engine-strict', '--prefer-offline', '--no-audit', '--no-fund']
  const { code, output } = await runCommand('npm', ['install', ...options, tarball], {
    cwd: place,
    timeoutMs: 50_000,
  })
  expect(output).not.toMatch(/EBADENGINE|deprecated/)
  expect(code).toBe(0)
  const installed = readdirSync(join(place, 'node_modules')).filter(name => !name.startsWith('.'))
  expect(installed.sort()).toEqual(['idb-keyval', 'latchkey', 'oauth4webapi'])
})

/** Follows the relative imports of built files. */
function reachable(from: readonly string[]): Set<string> {
  const reached = new Set<string>()
  const visit = (file: string): void => {
    if (reached.has(file)) return
    reached.add(file)
    for (const [, target] of readFileSync(file, 'utf8').matchAll(
      /(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g,
    )) {
      const path = join(dirname(file), target ?? '')
      visit(file.endsWith('.d.ts') ? path.replace(/\.js$/, '.d.ts') : path)
    }
  }
  for (const file of from) visit(file)
  return reached
}

test('every built file belongs to an entry', () => {
  const reached = reachable(entries.flatMap(({ file, types }) => [file, types]))
  // the worker of latchkey/worker is served as a file and imported by no entry
  const built = filesIn(folder).filter(
    file => /\.(js|d\.ts)$/.test(file) && file !== 'dist/latchkey-worker.js',
  )
  expect(built.filter(file => !reached.has(join(folder, file)))).toEqual([])
})

test('every built file has a source map that contains its sources', () => {
  for (const file of filesIn(folder).filter(name => name.endsWith('.js'))) {
    const map = JSON.parse(readFileSync(join(folder, `${file}.map`), 'utf8')) as { sourcesContent?: string[] }
    expect(map.sourcesContent?.every(Boolean), file).toBe(true)
  }
})

test('publint has no findings', async () => {
  const { messages } = await publint({ pkgDir: folder, level: 'suggestion', strict: true, pack: false })
  expect(messages).toEqual([])
})

test('are the types wrong? has no findings', async () => {
  const require = createRequire(import.meta.url)
  const cli = join(dirname(require.resolve('@arethetypeswrong/cli/package.json')), 'dist/index.js')
  // Stricter than its profile "esm-only": it also checks CommonJS, which gets ES modules, because every supported Node can
  // load them.
  const rules = ['--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm', '--no-color', '--no-emoji']
  // a file that browsers run, without exports and types
  rules.push('--exclude-entrypoints', 'latchkey-worker.js')
  const result = await runCommand(process.execPath, [cli, tarball, ...rules], { timeoutMs: 60_000 })
  expect(result.code, result.output).toBe(0)
})

// one entry has only types
test.each(names.filter(name => name !== 'latchkey/extending'))(
  '%s can be required where Node can require ES modules',
  async name => {
    const before = compilerOf(name)
    const source = `${before ? `require('${before}')\n` : ''}if (!Object.keys(require('${name}')).length) throw new Error('empty')`
    expect(await node('--eval', source)).toEqual(clean)
  },
)

test.each(names)('importing %s prints nothing, accesses no browser global, and Node exits', async name => {
  const source = `
    const browser = ['window', 'document', 'localStorage', 'sessionStorage', 'indexedDB', 'location', 'history']
    // Packages may look who they run under; latchkey may not.
    for (const global of [...browser, 'navigator']) {
      const real = globalThis[global]
      Object.defineProperty(globalThis, global, { get() {
        if (/node_modules.latchkey.dist/.test(new Error().stack)) throw new Error('touched ' + global)
        return real
      } })
    }
    ${compilerOf(name) ? `await import('${compilerOf(name)}')` : ''}
    await import('${name}')`
  expect(await node('--input-type=module', '--eval', source)).toEqual(clean)
})
