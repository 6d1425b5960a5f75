import { join } from 'node:path'
import { expect, test } from 'vitest'
import { file, memory } from '../../src/node.ts'
import { hostStore } from '../../src/webview.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { tempFolders } from '../support/temp-folder.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const tempFolder = tempFolders()

test("calls for two users in one process each carry their own user's token, also through a refresh [MX19]", async () => {
  const { signedIn, clock, expire, as } = world()
  const users = ['alice', 'bob']
  const clients = await Promise.all(
    users.map(user => signedIn({ subject: () => user, store: sharedStore(clock) })),
  )
  const callAll = () =>
    Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const response = await clients[index % 2]?.fetch(`${API}/me`)
        return response?.json().then(({ who }: { who: string }) => who)
      }),
    )
  const expected = Array.from({ length: 20 }, (_, index) => users[index % 2])
  expect(await callAll()).toEqual(expected)
  expire()
  expect(await callAll()).toEqual(expected)
  expect(as.count('refresh_token')).toBe(2)
})

test('a client that is created twice refreshes once, and receives nothing after it is disposed of [MX20]', async () => {
  const { signedIn, client, clock, expire, as } = world()
  const one = await signedIn()
  const [again, kept] = [client(), client()]
  await Promise.all([again.start(), kept.start()])
  expire()
  const answers = await Promise.all([one, again].map(made => made.fetch(`${API}/me`)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  expect(as.count('refresh_token')).toBe(1)
  one.dispose()
  const [session, told] = [one.session, one.types().length]
  await again.signOut()
  await expect.poll(() => kept.session.status).toBe('signed-out')
  expect(one.session).toBe(session)
  expect(one.types()).toHaveLength(told)
  expect(clock.waiting).toBe(0)
})

test('an API response that sets cookies, clears data or reloads does not affect the session [MX15]', async () => {
  const here = world()
  const headers = { 'set-cookie': 'session=theirs', 'clear-site-data': '"*"', refresh: '0; url=/elsewhere' }
  const client = await here.signedIn({
    fetch: (input, init) =>
      String(input instanceof Request ? input.url : input).startsWith(API)
        ? Promise.resolve(new Response('', { headers }))
        : here.fetch(input, init),
  })
  const [session, stored] = [client.session, await here.stored()]
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(client.session).toBe(session)
  expect(await here.stored()).toEqual(stored)
})

/** A host's storage in memory. */
const host = () => {
  const texts = new Map<string, string>()
  return hostStore({
    get: async key => texts.get(key),
    set: async (key, text) => texts.set(key, text),
    remove: async key => texts.delete(key),
  })
}

test.each([
  ['memory()', memory],
  ['file()', () => file(join(tempFolder(), 'tokens.json'))],
  ['hostStore()', host],
])('two clients that share one %s hear each other sign in and out [F2.3]', async (_name, create) => {
  const { signedIn, client } = world()
  const store = create()
  const other = client({ store })
  await other.start()
  const one = await signedIn({ store })
  await expect.poll(() => other.session.status).toBe('signed-in')
  await one.signOut()
  await expect.poll(() => other.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
})
