import { TimeoutError } from 'ky'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createKy } from '../../src/ky.ts'
import type { Client } from '../../src/runtime/node.ts'
import { type Api, startApi } from '../support/http-clients/api.ts'
import { noteOf, written } from '../support/http-clients/notes.ts'
import { signedInAt } from '../support/http-clients/sign-in.ts'
import { startTestServers, type TestServers } from '../support/server.ts'

let servers: TestServers
let api: Api
let client: Client

beforeAll(async () => {
  servers = await startTestServers('http://127.0.0.1:1', 'http://127.0.0.1:2')
  api = await startApi(servers)
})
afterEach(() => {
  client?.dispose()
  servers.forget()
  api.forget()
})
afterAll(async () => {
  await api?.close()
  await servers?.close()
})

const statuses = () => api.requests.map(({ status }) => status)

test('a POST that ky never sends twice by itself is replayed once after a 401', async () => {
  client = await signedInAt(servers, api)
  const ky = createKy(client, { baseUrl: api.origin, retry: 0 })
  await servers.revokeAccessTokensOf('alice')
  expect(await ky.post('notes', { json: { text: 'milk' } }).json()).toEqual(written('milk'))
  expect(statuses()).toEqual([401, 201])
  expect(api.requests.map(({ body }) => body)).toEqual(['{"text":"milk"}', '{"text":"milk"}'])
})

test("ky's own retry gets over a 503 that comes after the refresh", async () => {
  client = await signedInAt(servers, api)
  const ky = createKy(client, { baseUrl: api.origin, retry: { limit: 1, delay: () => 0 } })
  await servers.revokeAccessTokensOf('alice')
  api.failNext(503)
  expect(await ky.get('notes/7').json()).toEqual(noteOf(7))
  expect(statuses()).toEqual([401, 503, 200])
  expect(servers.refreshes()).toHaveLength(1)
})

test('a time-out of ky ends its own call, and another call gets what the refresh brings', async () => {
  client = await signedInAt(servers, api)
  const patient = createKy(client, { baseUrl: api.origin, timeout: false, retry: 0 })
  const hasty = createKy(client, { baseUrl: api.origin, timeout: 500, retry: 0 })
  await servers.revokeAccessTokensOf('alice')
  servers.fault('late')
  const note = patient.get('notes/7').json()
  await expect.poll(() => servers.refreshes().length).toBe(1)

  await expect(hasty.get('notes/8').json()).rejects.toThrow(TimeoutError)
  expect(servers.refreshes()).toMatchObject([{ status: undefined }])
  servers.fault(undefined)
  expect(await note).toEqual(noteOf(7))
  expect(servers.refreshes()).toMatchObject([{ status: 200 }])
  expect(client.session.status).toBe('signed-in')
  expect(await hasty.get('notes/8').json()).toEqual(noteOf(8))
  expect(servers.refreshes()).toHaveLength(1)
})
