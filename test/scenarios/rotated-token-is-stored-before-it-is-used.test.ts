import { expect, test } from 'vitest'
import type { KeyValue } from '../../src/core/ports.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

/** The same store, reporting each write when it happens. */
const watched = (place: KeyValue, wrote: (value: unknown) => void): KeyValue => ({
  ...place,
  async update(key, change) {
    let next: unknown
    await place.update(key, stored => {
      next = change(stored)
      return next
    })
    wrote(next)
  },
})

test('a rotated refresh token is stored before the lock is released and before the new access token is used', async () => {
  const { signedIn, as, api, store, fetch, expire } = world()
  const steps: string[] = []
  const versionOf = (value: unknown) => (value as { version?: number } | undefined)?.version
  const client = await signedIn({
    store: {
      ...store,
      keyValue: watched(store.keyValue, value => {
        if (versionOf(value)) steps.push(`stored version ${versionOf(value)}`)
      }),
      lock: {
        async run(name, work, waitMs) {
          const result = await store.lock.run(name, work, waitMs)
          steps.push('lock let go')
          return result
        },
      },
    },
    async fetch(input, init) {
      if (String(input).startsWith(API)) steps.push('token used')
      if (String(input).endsWith('/token')) steps.push('token request')
      return fetch(input, init)
    },
  })
  expire()
  steps.length = 0
  await client.fetch(`${API}/me`)
  expect(steps).toEqual([
    'stored version 1',
    'token request',
    'stored version 2',
    'lock let go',
    'token used',
  ])
  expect(api.statuses()).toEqual([200])
  expect(as.count('refresh_token')).toBe(1)
})

test('a mark with the hash of the refresh token is stored while the token is sent, and removed afterwards', async () => {
  const { signedIn, store, stored, fetch, expire } = world()
  let during: unknown
  const client = await signedIn({
    store,
    async fetch(input, init) {
      if (String(input).endsWith('/token')) during = (await stored())[0]
      return fetch(input, init)
    },
  })
  expire()
  await client.fetch(`${API}/me`)
  expect(during).toMatchObject({
    version: 1,
    pending: { tokenHash: expect.any(String), sentAt: expect.any(Number) },
  })
  const { tokens, pending } = during as { tokens: { refreshToken: string }; pending: object }
  expect(JSON.stringify(pending)).not.toContain(tokens.refreshToken)
  expect((await stored())[0]).toMatchObject({ version: 2 })
  expect((await stored())[0]).not.toHaveProperty('pending.tokenHash')
})

test('after a crash the next page retries the refresh immediately, while a grace period may cover it [RF07]', async () => {
  const { signedIn, client, as, store, clock, stored } = world({ graceMs: 10_000 })
  const crashed = await signedIn({ store: sharedStore(clock, { keyValue: store.keyValue }) })
  clock.advance(245_000) // due, but not expired
  as.failNext.push({ afterWork: true, answer: () => new Promise(() => {}) })
  await crashed.fetch(`${API}/me`)
  await expect.poll(() => as.tokenRequests.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
  crashed.dispose()
  clock.advance(2000) // its lock and its page are gone; its request does not know that yet
  const next = client()
  await next.start()
  await expect.poll(async () => (await stored())[0]).toMatchObject({ version: 2 })
  expect(as.count('refresh_token')).toBe(2)
  expect((await next.fetch(`${API}/me`)).status).toBe(200)
  expect(as.reuses).toBe(0)
})
