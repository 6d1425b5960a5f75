import { Octokit } from '@octokit/core'
import { createClient as createSupabaseClient } from '@supabase/supabase-js'
import axios from 'axios'
import OpenAI from 'openai'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Client } from '../../src/runtime/node.ts'
import { type Api, startApi } from '../support/http-clients/api.ts'
import { driversByName } from '../support/http-clients/drivers.ts'
import { signedInAt } from '../support/http-clients/sign-in.ts'
import { startTestServers, type TestServers } from '../support/server.ts'

let servers: TestServers
let api: Api
let client: Client

beforeAll(async () => {
  servers = await startTestServers('http://127.0.0.1:1', 'http://127.0.0.1:2')
  api = await startApi(servers)
})
beforeEach(async () => {
  client = await signedInAt(servers, api)
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

/** What docs/http-clients.md warns of: each library with the option that makes it send what it was given. */
const unprepared = [
  {
    name: 'supabase-js with nothing but a fetch',
    sends: 'Bearer the-anon-key',
    call: async (url: string, { fetch }: Client) =>
      createSupabaseClient(url, 'the-anon-key', { global: { fetch }, accessToken: async () => null })
        .from('notes')
        .select(),
  },
  {
    name: 'Octokit with `auth`',
    sends: 'token a-personal-token',
    call: (baseUrl: string, { fetch }: Client) =>
      new Octokit({ baseUrl, auth: 'a-personal-token', request: { fetch } }).request('GET /repos/a/b'),
  },
  {
    name: 'the OpenAI SDK with an `apiKey` that is not taken back',
    sends: 'Bearer unused',
    call: (baseURL: string, { fetch }: Client) =>
      new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: 'unused', fetch, logLevel: 'off' }).models.retrieve('7'),
  },
  {
    name: 'axios with `auth`',
    sends: `Basic ${btoa('alice:secret')}`,
    call: (baseURL: string, { fetch }: Client) =>
      axios
        .create({
          baseURL,
          adapter: 'fetch',
          env: { fetch },
          auth: { username: 'alice', password: 'secret' },
        })
        .get('/notes/7'),
  },
]

test.each(unprepared)(
  '$name sends that, and latchkey leaves it and its 401 alone',
  async ({ call, sends }) => {
    await call(api.origin, client).catch(() => {})
    expect(api.requests).toMatchObject([{ authorization: sends, status: 401 }])
    expect(servers.refreshes()).toEqual([])
  },
)

test('the OpenAI SDK that asks for the access token itself gets the 401 of a revoked one', async () => {
  const openAi = new OpenAI({
    baseURL: `${api.origin}/v1`,
    apiKey: () => client.getAccessToken(),
    fetch: client.fetch,
  })
  expect(await openAi.models.retrieve('7')).toMatchObject({ id: '7' })
  await servers.revokeAccessTokensOf('alice')
  await expect(openAi.models.retrieve('7')).rejects.toMatchObject({ status: 401 })
  expect(servers.refreshes()).toEqual([])
})

test.each(driversByName)(
  '%s, set up as in the docs, sends nothing but the access token',
  async (_, { connect }) => {
    const library = await connect(client, api.origin)
    await library.read(7)
    await library.close?.()
    const accessToken = await client.getAccessToken()
    expect(new Set(api.requests.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${accessToken}`]),
    )
  },
)
