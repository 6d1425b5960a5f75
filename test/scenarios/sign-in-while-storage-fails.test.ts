import { expect, test } from 'vitest'
import type { KeyValue } from '../../src/core/ports.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { agreeable, worlds } from '../support/world.ts'

const world = worlds()

test('a sign-in that could not be stored, and that a sign-out elsewhere ends, revokes its refresh token', async () => {
  const { as, client, store, signedIn } = world()
  const other = await signedIn()
  let isFull = false
  const keyValue: KeyValue = {
    ...store.keyValue,
    update: (key, change) =>
      isFull && key.endsWith('session')
        ? Promise.reject(new Error('the disk is full'))
        : store.keyValue.update(key, change),
  }
  const one = client({ store: { ...store, keyValue } })
  await one.start()
  isFull = true
  expect((await one.signIn()).status).toBe('signed-in')
  expect(one.types()).toContain('storage-degraded')
  expect(as.revocations).toEqual([])
  await other.signOut()
  const revoked = () => as.revocations.filter(({ hint }) => hint === 'refresh_token').length
  await expect.poll(() => one.session.status).toBe('signed-out')
  await expect.poll(revoked).toBe(2)
})

test('a sign-in that starts while the store is unreadable and ends when it works again succeeds, despite an earlier sign-out [F2.10]', async () => {
  const { as, signedIn, client, store, clock } = world()
  const before = await signedIn()
  await before.signOut()
  await before.signIn()

  let isBroken = true
  const keyValue: KeyValue = {
    ...store.keyValue,
    get: key => (isBroken ? Promise.reject(new Error('it hangs')) : store.keyValue.get(key)),
  }
  const agent = agreeable(as)
  const one = client({
    store: sharedStore(clock, { keyValue }),
    userAgent: {
      name: agent.name,
      begin(redirectUri) {
        const attempt = agent.begin(redirectUri)
        return {
          ...attempt,
          authorize(url, state) {
            isBroken = false // while the user is away
            return attempt.authorize(url, state)
          },
        }
      },
    },
  })
  await expect(one.start()).rejects.toMatchObject({ code: 'ERR_STORAGE' })
  expect((await one.signIn()).status).toBe('signed-in')
  expect((await one.fetch(`${API}/me`)).status).toBe(200)
})
