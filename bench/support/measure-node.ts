/** The measurements of cost.ts on Node: see `importBundled()`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient, file, memory } from 'latchkey/node'
import { createMinimalClient, type MinimalOptions, type Tokens } from '../minimal-client.ts'
import { measurePace } from './measure-pace.ts'
import { fileStore, queue } from './minimal-stores.ts'
import { session, storeSession } from './stored-session.ts'
import { byTurns, type Times, type Way } from './turns.ts'

/** Between two measurements: what a client does beside its answer has ended by then. */
const LEAST_PAUSE_MS = 30
const HOUR_MS = 3_600_000

/** Where both keep their tokens. */
export type Place = 'memory' | 'file'

export interface StartServers {
  readonly providerOrigin: string
  readonly apiOrigin: string
}

interface Setting extends StartServers {
  readonly folder: string
  readonly place: Place
  readonly isExpired: boolean
}

const expiryOf = ({ isExpired }: Setting) => Date.now() + (isExpired ? -HOUR_MS : HOUR_MS)

function minimalWay(setting: Setting, name: string): Way {
  const kept = new Map<string, unknown>()
  const inMemory = {
    get: async (key: string) => kept.get(key),
    set: async (key: string, value: unknown) => void kept.set(key, value),
  }
  const options: MinimalOptions = {
    issuer: `${setting.providerOrigin}/`,
    clientId: session.clientId,
    redirectUri: 'http://127.0.0.1/callback',
    scope: 'openid',
    store: setting.place === 'file' ? fileStore(join(setting.folder, `${name}.json`)) : inMemory,
    exclusive: queue(),
  }
  const { accessToken, refreshToken } = session
  return {
    async prepare() {
      const tokens: Tokens = { accessToken, refreshToken, expiresAt: expiryOf(setting) }
      await options.store?.set('tokens', tokens)
    },
    async run() {
      const client = createMinimalClient(options)
      await client.start()
      await (await client.fetch(`${setting.apiOrigin}/notes`)).text()
    },
  }
}

function latchkeyWay(setting: Setting): Way {
  const path = join(setting.folder, 'latchkey', 'tokens.json')
  const inMemory = memory()
  const issuer = `${setting.providerOrigin}/`
  const store = () => (setting.place === 'file' ? file(path) : inMemory)
  let client: Client | undefined
  return {
    prepare: () => storeSession(store(), issuer, expiryOf(setting)),
    async run() {
      client = createClient({
        issuer,
        clientId: session.clientId,
        scope: 'openid',
        allowedOrigins: [setting.apiOrigin],
        store: store(),
      })
      await client.start()
      await (await client.fetch(`${setting.apiOrigin}/notes`)).text()
    },
    after: () => client?.dispose(),
  }
}

/**
 * From the creation of a client to its first answer.
 * @param isExpired whether the stored access token has expired.
 */
export async function measureStart(
  servers: StartServers,
  place: Place,
  isExpired: boolean,
  rounds: number,
): Promise<Times> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
  const setting = { ...servers, folder, place, isExpired }
  try {
    return await byTurns(
      {
        'minimal client': minimalWay(setting, 'minimal'),
        'minimal client again': minimalWay(setting, 'again'), // how far equals are apart here
        latchkey: latchkeyWay(setting),
      },
      rounds,
      LEAST_PAUSE_MS,
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Calls of a client whose fresh token is in memory. */
export async function measurePaceOnNode(apiOrigin: string, rounds: number): Promise<Times> {
  const { issuer, clientId } = session
  const store = memory()
  await storeSession(store)
  const client = createClient({ issuer, clientId, store, allowedOrigins: [apiOrigin] })
  await client.start()
  try {
    return await measurePace(client, apiOrigin, rounds)
  } finally {
    client.dispose()
  }
}
