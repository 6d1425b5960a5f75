import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type SessionRecord, sessionOf } from '../../src/core/session.ts'
import { createClient, memory } from '../../src/node.ts'
import { type ServedServer, serveTestServer } from '../support/served-server.ts'
import { strictGrants } from '../support/strict-grants.ts'
import { hostStoreSample } from './on-workerd/bundle.ts'
import { pathOf, startWorkerd, type Workerd } from './workerd.ts'

const SECRET = 'a secret of the worker'
/** In an app that has installed the package. */
const folder = join(inject('packed').app, 'workerd')
let served: ServedServer
let workerd: Workerd

beforeAll(async () => {
  served = await serveTestServer({ clientId: 'my-service', grants: strictGrants().grants })
  mkdirSync(folder)
  for (const name of ['app.mjs', 'entries.mjs']) copyFileSync(pathOf(name), join(folder, name))
  writeFileSync(join(folder, 'host-store.ts'), hostStoreSample())
  const { outputFiles } = await build({
    ...{ entryPoints: [join(folder, 'app.mjs')], write: false, bundle: true },
    ...{ format: 'esm', target: 'es2022', external: ['cloudflare:workers'], logLevel: 'error' },
  })
  const { issuer, api } = served.server
  workerd = await startWorkerd(
    { 'app.js': outputFiles[0]?.text as string },
    { ISSUER: issuer, API: api, SECRET },
  )
}, 60_000)
afterAll(async () => {
  await workerd?.close()
  await served?.close()
})

const ask = async (path: string, body?: string) =>
  (await fetch(`${workerd.url}${path}`, body === undefined ? undefined : { method: 'POST', body })).json()
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
  server.revokeAccessTokens()
  const { length } = server.apiRequests
  expect(await ask('/write', 'a note')).toBe(200)
  expect(server.apiRequests.slice(length).map(({ status, body }) => [status, body])).toEqual([
    [401, 'a note'],
    [200, 'a note'],
  ])
  expect(await ask('/sign-out')).toBe('signed-out')
  expect(await ask('/user')).toBe('ERR_AUTHORIZATION_REQUIRED')
})
