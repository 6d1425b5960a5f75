/** The measurements of call.ts: the same code on Node and in a page. */
import { type Client, createClient, memory } from 'latchkey'
import { session, storeSession } from './stored-session.ts'

export type CallKind = 'GET' | 'POST JSON' | 'Request object'

export interface CallTimes {
  readonly kind: CallKind
  /** Per call, in ms. */
  readonly bare: number[]
  readonly latchkey: number[]
}

const authorization = `Bearer ${session.accessToken}`
const text = JSON.stringify({ text: 'a note', tags: ['one', 'two'], at: 1_234_567_890 })
const json = { 'content-type': 'application/json' }

interface Pair {
  bare(): Promise<Response>
  latchkey(): Promise<Response>
}

const pairs = (url: string, client: Client, fetch = globalThis.fetch): Record<CallKind, Pair> => ({
  GET: {
    bare: () => fetch(url, { headers: { authorization } }),
    latchkey: () => client.fetch(url),
  },
  'POST JSON': {
    bare: () => fetch(url, { method: 'POST', headers: { ...json, authorization }, body: text }),
    latchkey: () => client.fetch(url, { method: 'POST', headers: json, body: text }),
  },
  'Request object': {
    bare: () => fetch(new Request(url, { headers: { accept: 'application/json', authorization } })),
    latchkey: () => client.fetch(new Request(url, { headers: { accept: 'application/json' } })),
  },
})

/** A client whose fresh token is in memory. */
export async function freshClient(apiOrigin: string, fetch?: typeof globalThis.fetch): Promise<Client> {
  const store = memory()
  await storeSession(store)
  const { issuer, clientId } = session
  const client = createClient({
    issuer,
    clientId,
    store,
    fetch,
    redirectUri: 'http://127.0.0.1/callback',
    allowedOrigins: [apiOrigin],
  })
  const { status } = await client.start()
  if (status !== 'signed-in') throw new Error('The stored session was not found: see stored-session.ts.')
  return client
}

/**
 * Calls by turns, each kind of sender first as often as the other.
 * @param batch how many calls in a row are timed as one, where the clock is coarse.
 */
export async function measureCalls(apiOrigin: string, count: number, batch: number): Promise<CallTimes[]> {
  const client = await freshClient(apiOrigin)
  const timed = async (send: () => Promise<Response>) => {
    const begun = performance.now()
    for (let call = 0; call < batch; call++) await (await send()).text()
    return (performance.now() - begun) / batch
  }
  const results: CallTimes[] = []
  for (const [kind, pair] of Object.entries(pairs(`${apiOrigin}/notes`, client))) {
    const times: CallTimes = { kind: kind as CallKind, bare: [], latchkey: [] }
    const warmUp = Math.ceil(count / 10)
    for (let turn = -warmUp; turn < count; turn++) {
      const order = turn % 2 ? (['bare', 'latchkey'] as const) : (['latchkey', 'bare'] as const)
      for (const name of order) {
        const took = await timed(pair[name])
        if (turn >= 0) times[name].push(took)
      }
    }
    results.push(times)
  }
  client.dispose()
  return results
}

const OWN_BLOCK = 2000

/**
 * What is latchkey's own in a call: `fetch` is replaced by a function that answers at once.
 * @returns per call, in µs.
 */
export async function measureOwnCost(blocks: number): Promise<CallTimes[]> {
  const answer = new Response('{}')
  const instant = async () => answer
  const apiOrigin = 'http://127.0.0.1:9'
  const client = await freshClient(apiOrigin, instant)
  const block = async (send: () => Promise<Response>) => {
    const begun = performance.now()
    for (let call = 0; call < OWN_BLOCK; call++) await send()
    return ((performance.now() - begun) * 1000) / OWN_BLOCK
  }
  const results: CallTimes[] = []
  for (const [kind, pair] of Object.entries(pairs(`${apiOrigin}/notes`, client, instant))) {
    const times: CallTimes = { kind: kind as CallKind, bare: [], latchkey: [] }
    for (let turn = -5; turn < blocks; turn++) {
      const [bare, latchkey] = [await block(pair.bare), await block(pair.latchkey)]
      if (turn < 0) continue
      times.bare.push(bare)
      times.latchkey.push(latchkey)
    }
    results.push(times)
  }
  client.dispose()
  return results
}

/**
 * What a call leaves to be collected.
 * @param allocated all bytes that were ever allocated here, or the bytes in use where nothing is collected meanwhile.
 * @returns bytes per call, by turns.
 */
export async function measureAllocations(blocks: number, allocated: () => number): Promise<CallTimes[]> {
  const answer = new Response('{}')
  const instant = async () => answer
  const apiOrigin = 'http://127.0.0.1:9'
  const client = await freshClient(apiOrigin, instant)
  const calls = 500
  const block = async (send: () => Promise<Response>) => {
    const before = allocated()
    for (let call = 0; call < calls; call++) await send()
    return (allocated() - before) / calls
  }
  const results: CallTimes[] = []
  for (const [kind, pair] of Object.entries(pairs(`${apiOrigin}/notes`, client, instant))) {
    const bytes: CallTimes = { kind: kind as CallKind, bare: [], latchkey: [] }
    for (let turn = -5; turn < blocks; turn++) {
      const [bare, latchkey] = [await block(pair.bare), await block(pair.latchkey)]
      // less than nothing: there was a collection in between
      if (turn < 0 || bare < 0 || latchkey < 0) continue
      bytes.bare.push(bare)
      bytes.latchkey.push(latchkey)
    }
    results.push(bytes)
  }
  client.dispose()
  return results
}

export interface TokenTimes {
  /** Of a function that is `async` and does nothing else, per call, in ns. */
  readonly empty: number[]
  readonly getAccessToken: number[]
}

const BLOCK = 20_000

export async function measureGetAccessToken(blocks: number): Promise<TokenTimes> {
  const client = await freshClient('http://127.0.0.1:9')
  const empty = async (_options?: object) => session.accessToken
  const block = async (ask: () => Promise<string>) => {
    const begun = performance.now()
    for (let call = 0; call < BLOCK; call++) await ask()
    return ((performance.now() - begun) * 1e6) / BLOCK
  }
  const times: TokenTimes = { empty: [], getAccessToken: [] }
  for (let turn = -5; turn < blocks; turn++) {
    const [first, second] = [await block(empty), await block(() => client.getAccessToken())]
    if (turn < 0) continue
    times.empty.push(first)
    times.getAccessToken.push(second)
  }
  client.dispose()
  return times
}
