/** The measurements of services.ts: see `importBundled()`. */
import { createServer } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client'
import { OAuth2Client as GoogleClient } from 'google-auth-library'
import {
  allowInsecureRequests,
  ClientSecretBasic,
  Configuration,
  clientCredentialsGrant,
} from 'openid-client'
import { listen } from '../../examples/demo/servers/listen.ts'
import { clientSecretBasic } from '../../src/client-authentication.ts'
import { createClients, type SharedParts } from '../../src/clients.ts'
import type { Store } from '../../src/core/ports.ts'
import { clientCredentials } from '../../src/grants.ts'
import { createClient, memory } from '../../src/node.ts'
import { shuffled } from './turns.ts'

const SECRET = 'secret'
const API = 'https://api.example.com'

/** A token endpoint for client credentials, and how many requests it had. */
async function startTokenEndpoint() {
  let requests = 0
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      requests++
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ access_token: `t${requests}`, token_type: 'Bearer', expires_in: 3600 }))
    })
  })
  const { origin, close } = await listen(server, { name: 'token endpoint' })
  return { origin, close, requests: () => requests }
}

/** One call of an API that answers at once: gets an access token and sends it. */
type Call = () => Promise<Response>

const answerAtOnce = async (..._request: Parameters<typeof fetch>) => new Response()

/** As an app sends a token that a library gave it. */
const sending =
  (getToken: () => Promise<string | null | undefined>): Call =>
  async () =>
    answerAtOnce(`${API}/`, { headers: { authorization: `Bearer ${await getToken()}` } })

const serverOf = (origin: string) => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  jwks_uri: `${origin}/jwks`,
})

const latchkeyOver = (origin: string, store: Store) =>
  createClient({
    ...{ server: serverOf(origin), clientId: 'service', clientAuthentication: clientSecretBasic(SECRET) },
    ...{ scope: 'read', allowedOrigins: [API], grant: clientCredentials(), store },
    fetch: (input, init) => (String(input).startsWith(API) ? answerAtOnce(input, init) : fetch(input, init)),
  })

/** openid-client gets a token whenever it is asked; the caches below are what apps write around it. */
function byOpenidClient(origin: string) {
  const configuration = new Configuration(serverOf(origin), 'service', SECRET, ClientSecretBasic(SECRET))
  allowInsecureRequests(configuration)
  return async () => {
    const { access_token, expires_in = 0 } = await clientCredentialsGrant(configuration, { scope: 'read' })
    return { accessToken: access_token, endsAt: Date.now() + expires_in * 1000 }
  }
}
const isFresh = ({ endsAt }: { endsAt: number }) => endsAt > Date.now() + 30_000

function cachedToken(origin: string): Call {
  const obtain = byOpenidClient(origin)
  let cached = { accessToken: '', endsAt: 0 }
  return sending(async () => {
    if (!isFresh(cached)) cached = await obtain()
    return cached.accessToken
  })
}

function cachedPromise(origin: string): Call {
  const obtain = byOpenidClient(origin)
  let cached = Promise.resolve({ accessToken: '', endsAt: 0 })
  let asking: typeof cached | undefined
  return sending(async () => {
    if (!isFresh(await cached)) {
      asking ??= obtain().finally(() => {
        asking = undefined
      })
      cached = asking
    }
    return (await cached).accessToken
  })
}

function badgateway(origin: string): Call {
  const client = new OAuth2Client({
    ...{ server: origin, clientId: 'service', clientSecret: SECRET, tokenEndpoint: `${origin}/token` },
  })
  const wrapper = new OAuth2Fetch({
    client,
    getNewToken: () => client.clientCredentials({ scope: ['read'] }),
  })
  return sending(() => wrapper.getAccessToken())
}

/** It knows Google's ways to tokens only: an app gives it a function that gets one. */
function google(origin: string): Call {
  const client = new GoogleClient()
  client.refreshHandler = async () => {
    const answer = await fetch(`${origin}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`service:${SECRET}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read' }),
    })
    const { access_token, expires_in } = (await answer.json()) as { access_token: string; expires_in: number }
    return { access_token, expiry_date: Date.now() + expires_in * 1000 }
  }
  return sending(async () => (await client.getAccessToken()).token)
}

const candidates: Readonly<Record<string, (origin: string) => Call>> = {
  latchkey: origin => {
    const client = latchkeyOver(origin, memory())
    return () => client.fetch(`${API}/`)
  },
  'openid-client, a cached promise': cachedPromise,
  'openid-client, a cached token': cachedToken,
  '@badgateway/oauth2-client': badgateway,
  'google-auth-library': google,
}

/** What a burst of calls cost, by round. */
export interface Bursts {
  readonly requests: number[]
  readonly failed: number[]
  /** Without a token. */
  readonly coldMs: number[]
  /** The same calls again, with the token of before. */
  readonly warmMs: number[]
}

/** Whoever took longer sends a request for each call, and is not asked again. */
const LONG_MS = 5000

/** Calls that all begin at once, by each candidate in turn. */
export async function measureBursts(
  count: number,
  rounds: number,
): Promise<Readonly<Record<string, Bursts>>> {
  const found = Object.fromEntries(
    Object.keys(candidates).map((name): [string, Bursts] => [
      name,
      { requests: [], failed: [], coldMs: [], warmMs: [] },
    ]),
  )
  for (let round = 0; round < rounds; round++)
    for (const [name, create] of shuffled(Object.entries(candidates))) {
      if ((found[name]?.coldMs[0] ?? 0) > LONG_MS) continue
      const endpoint = await startTokenEndpoint()
      const call = create(endpoint.origin)
      let failed = 0
      const burst = async () => {
        const from = performance.now()
        const settled = await Promise.allSettled(Array.from({ length: count }, call))
        const took = performance.now() - from
        failed += settled.filter(({ status }) => status === 'rejected').length
        return took
      }
      const { [name]: bursts } = found
      bursts?.coldMs.push(await burst())
      bursts?.warmMs.push(await burst())
      bursts?.failed.push(failed)
      bursts?.requests.push(endpoint.requests())
      await endpoint.close()
    }
  return found
}

/** How fast a client of one store is, by round. */
export interface Paces {
  readonly perSecond: number[]
  /** From the creation of a client to its first answer; the token is in the store already. */
  readonly firstMs: number[]
}

/** Calls one after the other, over each store in turn. */
export async function measurePaces(
  stores: Readonly<Record<string, () => Store>>,
  count: number,
  rounds: number,
): Promise<Readonly<Record<string, Paces>>> {
  const found = Object.fromEntries(
    Object.keys(stores).map((name): [string, Paces] => [name, { perSecond: [], firstMs: [] }]),
  )
  const endpoint = await startTokenEndpoint()
  const kept = Object.fromEntries(Object.entries(stores).map(([name, create]) => [name, create()]))
  for (let round = -1; round < rounds; round++)
    for (const [name, store] of shuffled(Object.entries(kept))) {
      const from = performance.now()
      const client = latchkeyOver(endpoint.origin, { ...store, close() {} })
      await client.fetch(`${API}/`)
      const firstMs = performance.now() - from
      const begun = performance.now()
      for (let index = 0; index < count; index++) await client.fetch(`${API}/`)
      const perSecond = (count / (performance.now() - begun)) * 1000
      client.dispose()
      if (round < 0) continue // it got the token, and warmed up
      found[name]?.perSecond.push(perSecond)
      found[name]?.firstMs.push(firstMs)
    }
  for (const store of Object.values(kept)) store.close?.()
  const requests = endpoint.requests()
  await endpoint.close()
  if (requests !== Object.keys(stores).length) throw new Error(`${requests} token requests were sent.`)
  return found
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const heap = () => {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

/** What idle sessions cost, each. */
export interface Idle {
  readonly bytes: number
  readonly micros: number
  /** Timers, sockets and the like that are there because of all of them. */
  readonly handles: number
}

/** Sessions that come in one turn of the event loop: at its end, what they left behind can be collected. */
const SESSIONS_PER_TURN = 100

/** @param most clients that are kept, as in the option of `createClients()`. */
export async function measureIdle(sessions: number, most: number): Promise<Idle> {
  const clients = createClients({
    ...{ store: memory(), most },
    create: ({ session, ...parts }: SharedParts) =>
      createClient({
        ...{ server: serverOf('https://id.example.com'), clientId: 'service', scope: 'read' },
        ...{ allowedOrigins: [API], grant: clientCredentials(), session, ...parts },
      }),
  })
  clients.for('first')
  await nextTurn()
  const handlesBefore = process.getActiveResourcesInfo().length
  const before = heap()
  const from = performance.now()
  for (let index = 0; index < sessions; index++) {
    clients.for(`user-${index}`)
    if (index % SESSIONS_PER_TURN === 0) await nextTurn()
  }
  const tookMs = performance.now() - from
  await nextTurn()
  const bytes = (heap() - before) / sessions
  const handles = Math.max(0, process.getActiveResourcesInfo().length - handlesBefore) // older ones may end
  clients.dispose()
  return { bytes, micros: (tookMs / sessions) * 1000, handles }
}
