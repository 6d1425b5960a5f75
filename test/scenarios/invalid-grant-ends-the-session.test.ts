import { expect, test } from 'vitest'
import { LatchkeyError } from '../../src/errors.ts'
import { oauthError, reset } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test.each<[number, Record<string, string>]>([
  [400, {}],
  [401, { 'www-authenticate': 'Basic realm="token"' }],
  [401, { 'www-authenticate': 'Bearer error="invalid_token"' }],
  [403, {}],
])(
  'invalid_grant with status %i ends the session, once, for every client of the store',
  async (code, headers) => {
    const { signedIn, client, as, stored, expire } = world()
    const one = await signedIn()
    const other = client()
    await other.start()
    const sessions: unknown[] = []
    one.subscribe(session => sessions.push(session))
    expire()
    as.failNext.push(oauthError('invalid_grant', code, headers))
    const calls = await Promise.allSettled(Array.from({ length: 5 }, () => one.fetch(`${API}/me`)))
    for (const call of calls) {
      expect(call).toMatchObject({
        reason: { code: 'ERR_AUTHORIZATION_REQUIRED', reason: 'expired', retryable: false },
      })
    }
    const over = { status: 'signed-out', reason: 'expired' }
    expect(one.session).toEqual(over)
    await expect.poll(() => other.session).toEqual(over)
    expect(await stored()).toEqual([])
    expect(sessions).toEqual([over])
    for (const { told } of [one, other]) {
      expect(told.filter(({ type }) => type === 'session-ended')).toMatchObject([{ reason: 'expired' }])
    }
    await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
    expect(as.count('refresh_token')).toBe(1)
  },
)

test('a session that ended at the server ends at the next refresh, and a new sign-in starts another [RF09]', async () => {
  const { signedIn, as, expire } = world()
  const client = await signedIn()
  as.endSessions()
  expire()
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'expired' })
  await client.signIn()
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
})

test('a client that lost a race without a lock adopts what the winner stored [RF09]', async () => {
  const { signedIn, client, as, store, clock, expire } = world()
  // each client has its own lock, as if the lock were broken
  const alone = () => sharedStore(clock, { keyValue: store.keyValue })
  const winner = await signedIn({ store: alone() })
  const loser = client({ store: alone() })
  await loser.start()
  expire()
  const real = as.failNext
  const won = winner.getAccessToken()
  await won
  // the loser has sent the old token and is rejected
  clock.advance(0)
  real.push(oauthError('invalid_grant'))
  as.revokeAccessTokens()
  const lost = await loser.getAccessToken()
  expect(lost).toBe(await won)
  expect(loser.session.status).toBe('signed-in')
})

test('a client rejected before the winner has stored its tokens waits briefly and adopts them', async () => {
  const { signedIn, client, as, store, clock, expire } = world()
  const alone = (keyValue = store.keyValue) => sharedStore(clock, { keyValue })
  let letGo = () => {}
  const gate = new Promise<void>(resolve => {
    letGo = resolve
  })
  let slow = false
  let won: Promise<string> | undefined
  let readsAfterwards = 0
  const winner = await signedIn({
    store: alone({
      ...store.keyValue,
      // the winner's last write, of the rotated tokens, is slow
      async update(key, change) {
        if (slow && as.count('refresh_token') > 0) await gate
        return store.keyValue.update(key, change)
      },
    }),
  })
  const loser = client({
    store: alone({
      ...store.keyValue,
      async get(key) {
        const isRejected = as.tokenRequests.some(({ outcome }) => outcome === 'invalid_grant')
        // the winner stores its tokens during the loser's pause, which takes no real time here
        if (isRejected && key.endsWith(' session') && readsAfterwards++ > 0) await won
        const found = await store.keyValue.get(key)
        if (isRejected) letGo()
        return found
      },
    }),
  })
  await loser.start()
  expire()
  slow = true
  won = winner.getAccessToken()
  await expect.poll(() => as.count('refresh_token')).toBe(1)
  const lost = loser.getAccessToken()
  expect(await won).toMatch(/^access-/)
  // the server has revoked the family by now; what matters is that no client deleted the winner's tokens
  expect(await lost).toBe(await won)
  expect(loser.session.status).toBe('signed-in')
})

test('a rejected refresh token is never sent again, even if its record could not be removed', async () => {
  const { signedIn, as, store, stored, clock, expire } = world()
  let broken = false
  const client = await signedIn({
    store: {
      ...store,
      keyValue: {
        ...store.keyValue,
        update: (key, change) =>
          store.keyValue.update(key, found => {
            const next = change(found)
            if (broken && next === undefined) throw new Error('the disk is full')
            return next
          }),
      },
    },
  })
  as.endSessions()
  expire()
  broken = true
  await expect(client.fetch(`${API}/me`)).rejects.toBeInstanceOf(LatchkeyError)
  expect(as.count('refresh_token')).toBe(1)
  broken = false
  clock.advance(60_000)
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
  expect(as.count('refresh_token')).toBe(1)
  expect(client.session.status).toBe('signed-out')
  expect(await stored()).toEqual([])
})

test('an ID Token for another user in a refresh response ends the session [RF20]', async () => {
  const { signedIn, as, stored, expire } = world()
  const client = await signedIn()
  as.idTokenClaims = { sub: 'mallory' }
  expire()
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({
    code: 'ERR_AUTHORIZATION_REQUIRED',
    reason: 'subject_changed',
  })
  expect(client.session).toEqual({ status: 'signed-out', reason: 'subject_changed' })
  expect(await stored()).toEqual([])
  // latchkey revokes the other user's tokens because they are never used
  await expect.poll(() => as.revocations.map(({ hint }) => hint)).toContain('refresh_token')
})

test.each([
  ['has already expired', () => ({ exp: 1_000_000 })],
  ['was issued tomorrow', () => ({ nbf: Date.now() / 1000 + 86_400 })],
])(
  'an ID Token in a refresh response that %s by this clock affects neither tokens nor session',
  async (_what, claims) => {
    const { signedIn, as, expire } = world()
    const client = await signedIn()
    as.idTokenClaims = claims()
    expire()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expire()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(as.reuses).toBe(0)
  },
)

test.each([
  ['of another issuer', { iss: 'https://evil.example' }],
  ['for another client', { aud: 'another app' }],
  ['of another issuer and user, whose subject cannot be read', { iss: 'https://evil.example', sub: 7 }],
])(
  'an ID Token %s in a refresh response causes a typed error, and the session is kept [RF21]',
  async (_what, claims) => {
    const { signedIn, as, stored, clock, expire } = world()
    const client = await signedIn()
    as.idTokenClaims = claims
    expire()
    await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_SERVER' })
    expect(client.session.status).toBe('signed-in')
    // the server has rotated anyway: the new refresh token is kept, the access token is not
    expect((await stored())[0]).not.toHaveProperty('pending.tokenHash')
    as.idTokenClaims = {}
    clock.advance(60_000)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    expect(as.reuses).toBe(0)
  },
)

test('invalid_grant after retries that may have rotated the token is reported as an interrupted refresh', async () => {
  const { signedIn, as, expire } = world()
  const client = await signedIn()
  expire()
  as.failNext.push(reset, oauthError('invalid_grant'))
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'refresh_interrupted' })
})
