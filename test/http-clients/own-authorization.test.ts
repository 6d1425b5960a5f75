import { Octokit } from '@octokit/core'
import { createClient as createSupabaseClient } from '@supabase/supabase-js'
import axios from 'axios'
import OpenAI from 'openai'
import { beforeEach, expect, test } from 'vitest'
import type { Client } from '../../src/node.ts'
import { driversByName } from '../support/http-clients/drivers.ts'
import { libraryStage } from '../support/http-clients/stage.ts'

const stage = libraryStage()
let client: Client

beforeEach(async () => {
  client = await stage.signedIn()
})

/** The warnings of docs/http-clients.md: each library with the option that makes it send its own Authorization header. */
const unprepared = [
  {
    name: 'supabase-js with only a fetch',
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
    name: 'the OpenAI SDK with an `apiKey` that is not removed',
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
  '$name sends its own header, and latchkey changes neither it nor its 401',
  async ({ call, sends }) => {
    await call(stage.api.origin, client).catch(() => {})
    expect(stage.api.requests).toMatchObject([{ authorization: sends, status: 401 }])
    expect(stage.servers.refreshes()).toEqual([])
  },
)

test('the OpenAI SDK with its own access token request gets the 401 of a revoked token', async () => {
  const openAi = new OpenAI({
    baseURL: `${stage.api.origin}/v1`,
    apiKey: () => client.getAccessToken(),
    fetch: client.fetch,
  })
  expect(await openAi.models.retrieve('7')).toMatchObject({ id: '7' })
  await stage.servers.revokeAccessTokensOf('alice')
  await expect(openAi.models.retrieve('7')).rejects.toMatchObject({ status: 401 })
  expect(stage.servers.refreshes()).toEqual([])
})

test.each(driversByName)(
  '%s, configured as in the docs, sends only the access token',
  async (_, { connect }) => {
    const library = await connect(client, stage.api.origin)
    await library.read(7)
    await library.close?.()
    const accessToken = await client.getAccessToken()
    expect(new Set(stage.api.requests.map(({ authorization }) => authorization))).toEqual(
      new Set([`Bearer ${accessToken}`]),
    )
  },
)
