import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ky from 'ky'
import { expect, test } from 'vitest'
import type { Fetch, Store } from '../../src/core/ports.ts'
import { file, memory } from '../../src/node.ts'
import { hostStore } from '../../src/webview.ts'
import { API } from '../support/strict-api.ts'
import { tempFolders } from '../support/temp-folder.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const tempFolder = tempFolders()

/** A request as any code that receives it can read it. */
const readable = async (request: Request) =>
  JSON.stringify([request.url, [...request.headers], await request.text()])

/** What a `fetch` that records everything saw and returned. */
function spyOn(fetch: Fetch) {
  const sent: { url: string; text: string }[] = []
  const received: string[] = []
  const spy: Fetch = async (input, init) => {
    const request = new Request(input, init)
    sent.push({ url: request.url, text: await readable(request.clone()) })
    const response = await fetch(request)
    received.push(await response.clone().text())
    return response
  }
  return { spy, sent, received }
}

/** A sign-in, a call, a refresh with another call, and a sign-out. @returns the tokens of both calls. */
async function wholeLife(here: World, client: Awaited<ReturnType<World['signedIn']>>) {
  await client.fetch(`${API}/me`)
  const first = await client.getAccessToken()
  here.expire()
  await client.fetch(`${API}/me`)
  const second = await client.getAccessToken()
  await client.signOut()
  return [first, second] as const
}

test('the fetch passed to createClient is the transport: it sees the code, every token and all calls with them [MX17]', async () => {
  const here = world()
  const { spy, sent, received } = spyOn(here.fetch)
  const client = await here.signedIn({ fetch: spy })
  const [first, second] = await wholeLife(here, client)
  const toServer = sent.filter(({ url }) => url.startsWith(here.as.issuer)).map(({ text }) => text)
  const toApi = sent.filter(({ url }) => url.startsWith(API)).map(({ text }) => text)
  expect(toServer.join()).toMatch(/code_verifier=/)
  expect(toServer.join()).toContain(here.as.tokenRequests.at(-1)?.sent)
  expect(received.join()).toContain(first)
  expect(received.join()).toContain(second)
  expect(toApi).toEqual([expect.stringContaining(first), expect.stringContaining(second)])
})

test('a wrapper around client.fetch, such as ky hooks, sees calls and responses without a token [MX17]', async () => {
  const here = world()
  const client = await here.signedIn()
  const seen: string[] = []
  const api = ky.create({
    fetch: async (input, init) => {
      seen.push(await readable(new Request(input, init).clone()))
      return client.fetch(input, init)
    },
    retry: 0,
    hooks: {
      beforeRequest: [async ({ request }) => void seen.push(await readable(request.clone()))],
      afterResponse: [
        async ({ request, response }) => {
          seen.push(await readable(request.clone()), JSON.stringify([...response.headers]))
        },
      ],
    },
  })
  expect((await api.get(`${API}/me`)).status).toBe(200)
  here.expire()
  expect((await api.get(`${API}/me`)).status).toBe(200)
  expect(seen).toHaveLength(8)
  expect(here.api.requests.map(({ headers }) => headers.authorization?.slice(0, 7))).toEqual([
    'Bearer ',
    'Bearer ',
  ])
  expect(seen.join()).not.toMatch(/authorization/i)
  expect([...here.as.secrets].filter(secret => seen.join().includes(secret))).toEqual([])
})

test('code that has the client can get its access token and make calls, even if the tokens are in memory', async () => {
  const here = world()
  const client = await here.signedIn({ store: memory() })
  const foreign = async ({ getAccessToken, fetch }: typeof client) =>
    [await getAccessToken(), (await fetch(`${API}/me`)).status] as const
  const [accessToken, status] = await foreign(client)
  expect(here.as.introspect(accessToken)).toMatchObject({ subject: 'alice' })
  expect(status).toBe(200)
})

test.each<[string, () => { store: Store; kept: () => string }]>([
  [
    'file()',
    () => {
      const path = join(tempFolder(), 'tokens.json')
      return { store: file(path), kept: () => readFileSync(path, 'utf8') }
    },
  ],
  [
    'hostStore()',
    () => {
      const place = new Map<string, string>()
      const store = hostStore({
        get: async key => place.get(key),
        set: async (key, value) => void place.set(key, value),
        remove: async key => void place.delete(key),
      })
      return { store, kept: () => [...place.values()].join() }
    },
  ],
])('%s stores the tokens unencrypted: code that can read the store has them', async (_name, open) => {
  const here = world()
  const { store, kept } = open()
  const client = await here.signedIn({ store })
  expect(kept()).toContain(await client.getAccessToken())
  expect(kept()).toContain('"refreshToken"')
  await client.signOut()
  expect(kept()).not.toContain('"refreshToken"')
})
