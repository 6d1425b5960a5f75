import { type Client, type ClientOptions, createClient, indexedDb } from 'latchkey'
import { worker } from 'latchkey/worker'
import { storeSession } from '../support/stored-session.ts'
import { byTurns, type Way } from '../support/turns.ts'

const WORKER = '/latchkey-worker.js'
const LEAST_PAUSE_MS = 20

interface Origins {
  readonly issuer: string
  readonly apiOrigin: string
}

/** A client with a session of its own, so that no other client of this page hears of its refreshes. */
async function signedIn(clientId: string, origins: Origins, options: Partial<ClientOptions> = {}) {
  const { issuer, apiOrigin } = origins
  await storeSession(indexedDb(), issuer, undefined, clientId)
  const client = createClient({
    issuer,
    clientId,
    scope: 'openid',
    redirectUri: '/callback',
    allowedOrigins: [apiOrigin],
    ...options,
  } as ClientOptions)
  const { status } = await client.start()
  if (status !== 'signed-in') throw new Error('The stored session was not found: see stored-session.ts.')
  return client
}

const bothClients = async (name: string, origins: Origins, options?: Partial<ClientOptions>) =>
  [
    await signedIn(`${name}-bare`, origins, options),
    await signedIn(`${name}-hosted`, origins, { ...options, host: worker(WORKER) }),
  ] as const

const TOKEN_BLOCK = 20_000
const CALL_BLOCK = 1000

/** @returns µs per call by the name of what was called, without a host and with one, by turns. */
async function measureFresh(origins: Origins, blocks: number) {
  const answer = new Response('{}')
  const [bare, hosted] = await bothClients('fresh', origins, { fetch: async () => answer })
  const block = async (count: number, call: () => Promise<unknown>) => {
    const begun = performance.now()
    for (let at = 0; at < count; at++) await call()
    return ((performance.now() - begun) * 1000) / count
  }
  const calls = {
    'getAccessToken()': (client: Client) => block(TOKEN_BLOCK, () => client.getAccessToken()),
    'fetch()': (client: Client) => block(CALL_BLOCK, () => client.fetch(`${origins.apiOrigin}/notes`)),
  }
  const seen: Record<string, { bare: number[]; again: number[]; hosted: number[] }> = {}
  for (const [name, measure] of Object.entries(calls)) {
    const times = { bare: [] as number[], again: [] as number[], hosted: [] as number[] }
    for (let turn = -5; turn < blocks; turn++) {
      const order = [['bare', bare] as const, ['again', bare] as const, ['hosted', hosted] as const]
      for (let at = 0; at < order.length; at++) {
        const [which, client] = order[(at + turn + 5) % order.length] as (typeof order)[number]
        const took = await measure(client)
        if (turn >= 0) times[which].push(took)
      }
    }
    seen[name] = times
  }
  for (const client of [bare, hosted]) client.dispose()
  return seen
}

const refreshing = (client: Client): Way => {
  let rejected = ''
  return {
    async prepare() {
      rejected = await client.getAccessToken()
    },
    async run() {
      if ((await client.getAccessToken({ rejected })) === rejected) throw new Error('It was not refreshed.')
    },
  }
}

/** Asks a worker what it refuses at once. */
const roundTrip = (send: (data: unknown, transfer: Transferable[]) => void): Way => ({
  run: () =>
    new Promise(resolve => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => {
        port1.close()
        resolve(undefined)
      }
      send({ latchkey: 0 }, [port2])
    }),
})

/** A client that is created in `work` uses a SharedWorker. */
async function withoutServiceWorkers<T>(work: () => Promise<T>): Promise<T> {
  Object.defineProperty(navigator, 'serviceWorker', { value: undefined, configurable: true })
  try {
    return await work()
  } finally {
    Reflect.deleteProperty(navigator, 'serviceWorker')
  }
}

/** Has every write be as durable as the browser has it by default, until the function that it returns is called. */
function relaxWrites(): () => void {
  const { prototype } = IDBDatabase
  const { transaction } = prototype
  prototype.transaction = function (stores, mode) {
    return transaction.call(this, stores, mode)
  }
  return () => Object.assign(prototype, { transaction })
}

/** @returns ms of one refresh after a 401, and of one message to each worker and its answer. */
async function measureRefreshes(origins: Origins, rounds: number) {
  const [bare, service] = await bothClients('service', origins)
  const shared = await withoutServiceWorkers(() => signedIn('shared', origins, { host: worker(WORKER) }))
  const refreshOnce = async (client: Client) => {
    const way = refreshing(client)
    await way.prepare?.()
    await way.run()
  }
  await refreshOnce(service)
  await refreshOnce(shared)
  const names = [shared, service].map(client => {
    const event = client.explain().events.find(({ type }) => type === 'tokens-adopted')
    return event?.type === 'tokens-adopted' ? event.from : undefined
  })
  const isRight = names[0]?.startsWith('shared worker') && names[1]?.startsWith('service worker')
  if (!isRight) throw new Error(`Both workers should have refreshed: ${names}.`)

  const { port } = new SharedWorker(WORKER, { name: 'latchkey', extendedLifetime: true } as WorkerOptions)
  port.start()
  const registration = await navigator.serviceWorker.getRegistration('/latchkey-worker/')
  const refresh = refreshing(bare)
  let restore = () => {}
  return byTurns(
    {
      page: refresh,
      again: refresh,
      relaxed: {
        async prepare() {
          await refresh.prepare?.()
          restore = relaxWrites()
        },
        run: refresh.run,
        after: () => restore(),
      },
      shared: refreshing(shared),
      service: refreshing(service),
      'message to shared': roundTrip((data, transfer) => port.postMessage(data, transfer)),
      'message to service': roundTrip((data, transfer) => registration?.active?.postMessage(data, transfer)),
    },
    rounds,
    LEAST_PAUSE_MS,
  )
}

/** @returns ms of one write of a small record, by its durability. */
async function measureWrites(rounds: number) {
  const opening = indexedDB.open('writes')
  opening.onupgradeneeded = () => opening.result.createObjectStore('records')
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error)
  })
  const write = (options?: IDBTransactionOptions): Way => ({
    run: () =>
      new Promise((resolve, reject) => {
        const transaction = database.transaction('records', 'readwrite', options)
        transaction.objectStore('records').put({ text: 'x'.repeat(1500), at: Math.random() }, 'record')
        transaction.oncomplete = resolve
        transaction.onabort = () => reject(transaction.error)
      }),
  })
  const ways = { default: write(), again: write(), strict: write({ durability: 'strict' }) }
  return byTurns(ways, rounds, LEAST_PAUSE_MS)
}

const hosts = { measureFresh, measureRefreshes, measureWrites }

declare global {
  interface Window {
    hosts: typeof hosts
  }
}

window.hosts = hosts
