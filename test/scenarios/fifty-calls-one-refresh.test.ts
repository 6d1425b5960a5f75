import { expect, test } from 'vitest'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test('fifty calls right after expiry send one refresh request, and all succeed [RF04]', async () => {
  const { signedIn, as, api, expire } = world()
  const client = await signedIn()
  expire()
  const responses = await Promise.all(Array.from({ length: 50 }, () => client.fetch(`${API}/me`)))
  expect(responses.map(({ status }) => status)).toEqual(Array(50).fill(200))
  expect(as.count('refresh_token')).toBe(1)
  expect(api.requests).toHaveLength(50)
})

test('fifty calls that wait for one refresh cause no runtime warning', async () => {
  const { signedIn, expire } = world()
  const client = await signedIn()
  expire()
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  try {
    const responses = await Promise.all(Array.from({ length: 50 }, () => client.fetch(`${API}/me`)))
    expect(responses.every(({ ok }) => ok)).toBe(true)
    await new Promise(resolve => setImmediate(resolve)) // the runtime emits warnings in the next turn
  } finally {
    process.off('warning', note)
  }
  expect(warnings).toEqual([])
})

test('fifty calls whose token was revoked early send one refresh request, and all succeed', async () => {
  const { signedIn, as, api } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  const responses = await Promise.all(Array.from({ length: 50 }, () => client.fetch(`${API}/me`)))
  expect(responses.map(({ status }) => status)).toEqual(Array(50).fill(200))
  expect(as.count('refresh_token')).toBe(1)
  expect(api.statuses().filter(status => status === 401)).toHaveLength(50)
})

test('fifty calls that fail together cause only one refresh with its retries [RF04]', async () => {
  const { signedIn, as, expire } = world()
  const client = await signedIn()
  expire()
  as.failNext.push(...Array(10).fill({ afterWork: false, answer: () => Response.error() }))
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => client.fetch(`${API}/me`)))
  const codes = results.map(result => (result.status === 'rejected' ? result.reason.code : 'ok'))
  expect(codes).toEqual(Array(50).fill('ERR_NETWORK'))
  expect(as.count('refresh_token')).toBeLessThanOrEqual(3)
})

test('a call with a fresh token reads no storage, takes no lock and sets no timer', async () => {
  const { signedIn, as, store, clock } = world()
  let touched = 0
  const counted = <T extends object>(part: T): T =>
    new Proxy(part, {
      get(target, name) {
        touched++
        return Reflect.get(target, name)
      },
    })
  const client = await signedIn({
    store: { ...store, keyValue: counted(store.keyValue), lock: counted(store.lock) },
  })
  const before = touched
  const waiting = clock.waiting
  await Promise.all(Array.from({ length: 20 }, () => client.fetch(`${API}/me`)))
  expect(touched).toBe(before)
  expect(clock.waiting).toBe(waiting)
  expect(as.count('refresh_token')).toBe(0)
})

test('after four fifths of its lifetime a token is still used while it is refreshed', async () => {
  const { signedIn, as, api, clock } = world()
  const client = await signedIn()
  clock.advance(245_000)
  const responses = await Promise.all(Array.from({ length: 10 }, () => client.fetch(`${API}/me`)))
  expect(responses.every(({ ok }) => ok)).toBe(true)
  await expect.poll(() => client.types().filter(type => type === 'token-response')).toHaveLength(2)
  expect(as.count('refresh_token')).toBe(1)
  const used = new Set(api.requests.map(({ headers }) => headers.authorization))
  expect(used.size).toBe(1)
  await client.fetch(`${API}/me`)
  expect(as.count('refresh_token')).toBe(1)
})
