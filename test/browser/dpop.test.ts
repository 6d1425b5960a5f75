import { createClient, indexedDb, memory, type Store, tabStorage, type UserAgent } from 'latchkey'
import { dpop } from 'latchkey/dpop'
import { sealed } from 'latchkey/sealed'
import { afterEach, describe, expect, test } from 'vitest'
import { deviceClock } from '../../src/platform/device.ts'
import { indexedDbKeyValue } from '../../src/storage/indexeddb.ts'

const ISSUER = 'https://id.example.com'
const API = 'https://api.example.com'
const clients: { dispose(): void; signOut(): Promise<void> }[] = []

const agreeable: UserAgent = {
  name: 'test',
  begin: redirectUri => ({
    redirectUri,
    authorize: async (url, state) => {
      expect(new URL(url).searchParams.get('dpop_jkt')).toMatch(/^[\w-]{43}$/)
      return `${redirectUri}?code=1&state=${state}`
    },
    close() {},
  }),
}

/** An authorization server and an API that record the proofs they receive. */
function net() {
  const proofs: { url: string; header: { jwk: JsonWebKey }; scheme: string | null }[] = []
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const [head = ''] = (request.headers.get('dpop') ?? '').split('.')
    const header = head ? JSON.parse(atob(head.replaceAll('-', '+').replaceAll('_', '/'))) : {}
    const scheme = request.headers.get('authorization')?.split(' ')[0] ?? null
    proofs.push({ url: request.url, header, scheme })
    if (request.url !== `${ISSUER}/token`) return new Response(null, { status: 204 })
    const tokens = { access_token: crypto.randomUUID(), refresh_token: crypto.randomUUID(), expires_in: 300 }
    return Response.json({ ...tokens, token_type: 'DPoP' })
  }
  return { proofs, fetch }
}

const app = (store: Store, fetch: typeof globalThis.fetch) => {
  const client = createClient({
    server: {
      issuer: ISSUER,
      authorization_endpoint: `${ISSUER}/authorize`,
      token_endpoint: `${ISSUER}/token`,
    },
    clientId: 'dpop',
    redirectUri: '/callback',
    scope: 'read',
    allowedOrigins: [API],
    extensions: [dpop()],
    userAgent: agreeable,
    store,
    fetch,
  })
  clients.push(client)
  return client
}

/** The stored keys, wherever they are. */
async function keptKeys(database: string): Promise<CryptoKeyPair[]> {
  const place = indexedDbKeyValue(database, deviceClock)
  const names = (await place.keys('latchkey ')).filter(name => name.includes(' dpop dpop '))
  const found = await Promise.all(names.map(name => place.get(name)))
  return found.flatMap(one => (one as { keyPair?: CryptoKeyPair }).keyPair ?? [])
}

afterEach(async () => {
  for (const client of clients.splice(0)) {
    await client.signOut()
    client.dispose()
  }
})

describe.each<[string, () => Store, string]>([
  ['indexedDb()', () => indexedDb(), 'latchkey'],
  ['tabStorage()', () => tabStorage(), 'latchkey keys'],
  ['sealed(indexedDb())', () => sealed(indexedDb()), 'latchkey keys'],
])('over %s', (_name, store, database) => {
  test('the key cannot be exported, is kept in IndexedDB for the next page, and is deleted at sign-out [DP09]', async () => {
    const { proofs, fetch } = net()
    const place = store()
    await app(place, fetch).signIn()
    const [kept, ...others] = await keptKeys(database)
    expect(others).toEqual([])
    expect(kept?.privateKey.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('jwk', kept?.privateKey as CryptoKey)).rejects.toThrow()

    const later = app(place, fetch)
    await later.start()
    expect((await later.fetch(`${API}/me`)).status).toBe(204)
    const [first, last] = [proofs.at(0), proofs.at(-1)]
    expect(last?.scheme).toBe('DPoP')
    expect(last?.header.jwk).toEqual(first?.header.jwk)
    expect(last?.header.jwk).not.toHaveProperty('d')
    await later.signOut()
    await expect.poll(() => keptKeys(database)).toEqual([])
  })
})

test('over memory() nothing of the key is stored outside this page', async () => {
  const { fetch } = net()
  const client = app(memory(), fetch)
  await client.signIn()
  expect((await client.fetch(`${API}/me`)).status).toBe(204)
  expect([...(await keptKeys('latchkey')), ...(await keptKeys('latchkey keys'))]).toEqual([])
})
