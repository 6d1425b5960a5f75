import { dpop } from 'latchkey/dpop'
import { describe, expect, test } from 'vitest'
import type { Fetch } from '../../src/core/ports.ts'
import { turn } from '../support/gate.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const unusable = { status: 'signed-out', reason: 'unusable_record' }

/** A store with a key-bound session, as a newer version of the app creates it. */
async function bound() {
  const here = world()
  await here.signedIn()
  const [key = ''] = (await here.store.keyValue.keys('')).filter(name => name.endsWith(' session'))
  await here.store.keyValue.update(key, record => ({ ...(record as object), tokenType: 'dpop' }))
  return { here, key }
}

describe('a client without dpop() next to one that has it [F1.6]', () => {
  test('reports the session and leaves it unchanged', async () => {
    const { here, key } = await bound()
    const before = await here.store.keyValue.get(key)
    const old = here.client()
    expect(await old.start()).toEqual(unusable)
    await expect(old.fetch(`${API}/me`)).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringMatching(/bound to a key.*dpop\(\).*Reload/),
    })
    await expect(old.getAccessToken()).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
    expect(await here.store.keyValue.get(key)).toEqual(before)
    expect(here.api.requests).toEqual([])
  })

  test('reports during its session that the newer client has bound it', async () => {
    const here = world()
    const old = await here.signedIn()
    const [key = ''] = (await here.store.keyValue.keys('')).filter(name => name.endsWith(' session'))
    await here.store.keyValue.update(key, record => ({
      ...(record as object),
      tokenType: 'dpop',
      version: 2,
    }))
    here.store.channel(`latchkey ${here.as.issuer} ${here.as.clientId}`).post({ type: 'session-changed' })
    await expect.poll(() => old.session).toEqual(unusable)
  })

  test('can sign out of it like of any other: revoked, reported, and for all clients', async () => {
    const { here } = await bound()
    const newer = here.client({ extensions: [dpop()] })
    expect(await newer.start()).toMatchObject({ status: 'signed-in' })
    const old = here.client()
    await old.start()
    await old.signOut()
    expect(here.as.revocations.map(({ hint }) => hint)).toEqual(['refresh_token', 'access_token'])
    for (const client of [old, newer]) {
      await expect.poll(() => client.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
    }
    expect(await here.stored()).toEqual([])
  })
})

describe('a record from a later version of latchkey [F1.6]', () => {
  test('is reported by every call, and neither a sign-out nor time removes it', async () => {
    const { here, key } = await bound()
    const later = { schema: 2, anything: 'else' }
    await here.store.keyValue.update(key, () => later)
    const client = here.client()
    expect(await client.start()).toEqual(unusable)
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringContaining('newer version'),
    })
    await expect(client.signOut()).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
    expect(client.session).toEqual(unusable)
    expect(await here.store.keyValue.get(key)).toEqual(later)
  })

  test('is replaced when the user signs in', async () => {
    const { here, key } = await bound()
    await here.store.keyValue.update(key, () => ({ schema: 2 }))
    const client = here.client()
    await client.start()
    expect(await client.signIn()).toMatchObject({ status: 'signed-in' })
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
  })
})

test.each([
  ['a later version has rewritten the record', { schema: 2 }],
  ['a client with dpop() has bound the session to a key', { tokenType: 'dpop' }],
])(
  'tokens that cannot be stored because %s are not revoked, which would end the session for all [F1.6]',
  async (_what, change) => {
    const here = world()
    await here.signedIn()
    const [key = ''] = (await here.store.keyValue.keys('')).filter(name => name.endsWith(' session'))
    const fetch: Fetch = async (input, init) => {
      const answer = await here.fetch(input, init)
      if (String(input).endsWith('/token'))
        await here.store.keyValue.update(key, record => ({ ...Object(record), ...change }))
      return answer
    }
    const old = here.client({ fetch })
    await expect(old.getAccessToken({ forceRefresh: true })).rejects.toMatchObject({
      reason: 'unusable_record',
    })
    await turn()
    expect(here.as.revocations).toEqual([])
  },
)
