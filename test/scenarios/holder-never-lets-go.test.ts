import { expect, test } from 'vitest'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const PATIENCE_MS = 17_000

/** Acquires latchkey's own lock. */
const hold = ({ as, store }: World) =>
  new Promise<() => void>(resolve => {
    const keep = () => new Promise<void>(letGo => resolve(letGo))
    void store.lock.run(`latchkey ${as.issuer} ${as.clientId}`, keep, PATIENCE_MS)
  })

test('if a lock is never released, a call fails with a typed error after at most 17 s and the session is kept', async () => {
  const here = world()
  const client = await here.signedIn()
  const letGo = await hold(here)
  here.expire()
  const calls = Array.from({ length: 5 }, () => client.fetch(`${API}/me`).catch((error: unknown) => error))
  await expect.poll(() => here.clock.waiting).toBeGreaterThan(0)
  here.clock.advance(PATIENCE_MS)
  for (const call of calls) expect(await call).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', retryable: true })
  expect(client.session.status).toBe('signed-in')
  expect(here.as.count('refresh_token')).toBe(0)

  letGo()
  here.clock.advance(1000)
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(here.as.count('refresh_token')).toBe(1)
  expect(client.types()).not.toContain('session-ended')
})

test('a call that did not get the lock in time uses the tokens that another client stored meanwhile', async () => {
  const here = world()
  const client = await here.signedIn()
  here.expire()
  const elsewhere = here.client({ store: { ...here.store, lock: { run: (_name, work) => work() } } })
  const letGo = await hold(here)
  const call = client.fetch(`${API}/me`)
  await expect.poll(() => here.clock.waiting).toBeGreaterThan(0)
  await elsewhere.start()
  expect((await elsewhere.fetch(`${API}/me`)).status).toBe(200)
  here.clock.advance(PATIENCE_MS)
  expect((await call).status).toBe(200)
  expect(here.as.count('refresh_token')).toBe(1)
  letGo()
})
