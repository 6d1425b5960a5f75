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
  'invalid_grant with status %i ends the session, once, for everyone who shares the store',
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

test('a session that ended at the server is over at the next refresh, and a new sign-in begins another [RF09]', async () => {
  const { signedIn, as, expire } = world()
  const client = await signedIn()
  as.endSessions()
  expire()
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'expired' })
  await client.signIn()
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
})

test('who lost a race that no lock prevented adopts what the winner stored [RF09]', async () => {
  const { signedIn, client, as, store, clock, expire } = world()
  // each with a lock of its own: as if the lock had been broken
  const alone = () => sharedStore(clock, { keyValue: store.keyValue })
  const winner = await signedIn({ store: alone() })
  const loser = client({ store: alone() })
  await loser.start()
  expire()
  const real = as.failNext
  const won = winner.getAccessToken()
  await won
  // the loser has sent the old token, and is refused
  clock.advance(0)
  real.push(oauthError('invalid_grant'))
  as.revokeAccessTokens()
  const lost = await loser.getAccessToken()
  expect(lost).toBe(await won)
  expect(loser.session.status).toBe('signed-in')
})

test('who is refused while the winner has not stored yet waits for it a moment and adopts', async () => {
  const { signedIn, client, as, store, clock, expire } = world()
  const alone = (keyValue = store.keyValue) => sharedStore(clock, { keyValue })
  let letGo = () => {}
  const gate = new Promise<void>(resolve => {
    letGo = resolve
  })
  let slow = false
  const winner = await signedIn({
    store: alone({
      ...store.keyValue,
      // the winner's last write, of the rotated tokens, takes its time
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
        const found = await store.keyValue.get(key)
        if (as.tokenRequests.some(({ outcome }) => outcome === 'invalid_grant')) letGo()
        return found
      },
    }),
  })
  await loser.start()
  expire()
  slow = true
  const won = winner.getAccessToken()
  await expect.poll(() => as.count('refresh_token')).toBe(1)
  const lost = loser.getAccessToken()
  expect(await won).toMatch(/^access-/)
  // the family is dead at this server by now; what counts is that nobody threw the winner's tokens away
  expect(await lost).toBe(await won)
  expect(loser.session.status).toBe('signed-in')
})

test('a refresh token that was refused is never sent again, even where its record could not be removed', async () => {
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

test('an ID Token of somebody else in a refresh answer ends the session [RF20]', async () => {
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
  // nobody will use what came for somebody else
  await expect.poll(() => as.revocations.map(({ hint }) => hint)).toContain('refresh_token')
})

test.each([
  ['is over already', () => ({ exp: 1_000_000 })],
  ['is of tomorrow', () => ({ nbf: Date.now() / 1000 + 86_400 })],
])(
  'an ID Token in a refresh answer that %s by this clock costs neither tokens nor session',
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
])('an ID Token %s in a refresh answer is a typed error, and the session is kept', async (_what, claims) => {
  const { signedIn, as, stored, clock, expire } = world()
  const client = await signedIn()
  as.idTokenClaims = claims
  expire()
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ code: 'ERR_SERVER' })
  expect(client.session.status).toBe('signed-in')
  // the server has rotated all the same: when it refuses the old one, that is why
  expect((await stored())[0]).toHaveProperty('pending.tokenHash')
  as.idTokenClaims = {}
  clock.advance(60_000)
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'refresh_interrupted' })
})

test('after retries that may have rotated it, invalid_grant is told as an interrupted refresh', async () => {
  const { signedIn, as, expire } = world()
  const client = await signedIn()
  expire()
  as.failNext.push(reset, oauthError('invalid_grant'))
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'refresh_interrupted' })
})
