import { expect, test } from 'vitest'
import type { KeyValue } from '../../src/core/ports.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { agreeable, worlds } from '../support/world.ts'

const world = worlds()

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
