import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { type SessionRecord, sessionOf } from '../../src/core/session.ts'
import { createClient, memory } from '../../src/node.ts'
import { findSamples } from '../support/docs-samples.ts'
import { freePort } from '../support/free-port.ts'
import { type ServedServer, serveTestServer } from '../support/served-server.ts'
import { strictGrants } from '../support/strict-grants.ts'
import { folder as runtimes } from './install.ts'

const SECRET = 'a secret of the worker'
const folder = join(inject('packed').app, 'workerd')
let served: ServedServer
let workerd: ChildProcess
let url = ''

/** The store of docs/extending.md as it is printed, without the client after it. */
function hostStoreSample(): string {
  const file = 'docs/extending.md'
  const markdown = readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8')
  const code = findSamples(file, markdown).find(sample => sample.code.includes('hostStore'))?.code ?? ''
  return code.slice(0, code.indexOf('declare const host'))
}

const configuration = (port: number, bindings: Record<string, string>) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-10-01",
  durableObjectNamespaces = [(className = "Tokens", uniqueKey = "tokens")],
  durableObjectStorage = (inMemory = void),
  bindings = [
    (name = "TOKENS", durableObjectNamespace = "Tokens"),
    ${Object.entries(bindings)
      .map(([name, text]) => `(name = "${name}", text = "${text}"),`)
      .join('\n')}
  ],
);
`

beforeAll(async () => {
  served = await serveTestServer({ clientId: 'my-service', grants: strictGrants().grants })
  mkdirSync(folder)
  copyFileSync(fileURLToPath(new URL('./worker.mjs', import.meta.url)), join(folder, 'worker.mjs'))
  writeFileSync(join(folder, 'host-store.ts'), hostStoreSample())
  await build({
    ...{ entryPoints: [join(folder, 'worker.mjs')], outfile: join(folder, 'worker.js'), bundle: true },
    ...{ format: 'esm', target: 'es2022', external: ['cloudflare:workers'], logLevel: 'error' },
  })
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  const { issuer, api } = served.server
  writeFileSync(join(folder, 'config.capnp'), configuration(port, { ISSUER: issuer, API: api, SECRET }))
  workerd = spawn(join(runtimes, 'node_modules/.bin/workerd'), ['serve', join(folder, 'config.capnp')], {
    stdio: 'inherit',
  })
  const isReady = () =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
  await vi.waitUntil(isReady, { timeout: 30_000 })
}, 60_000)
afterAll(async () => {
  if (workerd?.exitCode === null) {
    workerd.kill('SIGKILL')
    await once(workerd, 'close')
  }
  await served?.close()
})

const ask = async (path: string, body?: string) =>
  (await fetch(`${url}${path}`, body === undefined ? undefined : { method: 'POST', body })).json()
const askOften = (path: string) => Promise.all(Array.from({ length: 10 }, () => ask(path)))
const tokenRequests = () => served.server.requests.filter(one => one.endsWith('/token')).length

test('on workerd, ten requests with a client each share one service token over the store from the docs', async () => {
  const before = tokenRequests()
  expect(await askOften('/service')).toEqual(Array(10).fill(200))
  expect(tokenRequests() - before).toBe(1)
  expect(served.credentials).toEqual([`my-service:${SECRET}`])
})

test('on workerd, a session lasts over several requests, is refreshed once for all, and ends with a sign-out', async () => {
  const { server } = served
  expect(await ask('/user')).toBe('ERR_AUTHORIZATION_REQUIRED')
  const store = memory()
  const alice = createClient({ ...server.options('alice'), fetch: server.fetch, store })
  await alice.signIn()
  const keys = await store.keyValue.keys('')
  const entries = await Promise.all(keys.map(key => store.keyValue.get(key)))
  const record = entries.map(entry => sessionOf(entry as SessionRecord)).find(Boolean)
  alice.dispose()
  expect(await ask('/adopt', record?.tokens.refreshToken)).toBe('signed-in')
  expect(await askOften('/user')).toEqual(Array(10).fill(200))
  server.revokeAccessTokens()
  const before = tokenRequests()
  expect(await askOften('/user')).toEqual(Array(10).fill(200))
  expect(tokenRequests() - before).toBe(1)
  expect(await ask('/sign-out')).toBe('signed-out')
  expect(await ask('/user')).toBe('ERR_AUTHORIZATION_REQUIRED')
})
