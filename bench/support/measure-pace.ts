/** Calls at a human pace: the same code on Node and in a page. */
import type { Client } from 'latchkey'
import { createMinimalClient } from '../minimal-client.ts'
import { session } from './stored-session.ts'
import { byTurns, type Times } from './turns.ts'

/** A minimal client with a fresh token in memory. */
async function freshMinimal() {
  const { issuer, clientId, accessToken } = session
  const tokens = { accessToken, expiresAt: Date.now() + 3_600_000 }
  const minimal = createMinimalClient({
    ...{ issuer, clientId },
    redirectUri: 'http://127.0.0.1/callback',
    scope: 'openid',
    store: { get: async () => tokens, set: async () => {} },
    exclusive: work => work(),
  })
  await minimal.start()
  return minimal
}

/** At the least, between two calls of whatever sender. */
const LEAST_PAUSE_MS = 50

/** @param client whose fresh token is in memory. */
export async function measurePace(client: Client, apiOrigin: string, rounds: number): Promise<Times> {
  const url = `${apiOrigin}/notes`
  const minimal = await freshMinimal()
  const headers = { authorization: `Bearer ${session.accessToken}` }
  const bare = { run: async () => (await fetch(url, { headers })).text() }
  return byTurns(
    {
      fetch: bare,
      'fetch again': bare, // how far equals are apart here
      'minimal client': { run: async () => (await minimal.fetch(url)).text() },
      latchkey: { run: async () => (await client.fetch(url)).text() },
    },
    rounds,
    LEAST_PAUSE_MS,
  )
}
