import { join } from 'node:path'
import { expect, test } from 'vitest'
import { file } from '../../src/node.ts'
import { API } from '../support/strict-api.ts'
import { sharedStore } from '../support/tabs.ts'
import { tempFolders } from '../support/temp-folder.ts'
import { type TestClient, worlds } from '../support/world.ts'

const world = worlds()
const tempFolder = tempFolders()

const callAll = async (clients: readonly TestClient[], times: number) => {
  const calls = clients.flatMap(client => Array.from({ length: times }, () => client.fetch(`${API}/me`)))
  return (await Promise.all(calls)).map(({ status }) => status)
}

test('five clients of one store with an expired token send one refresh request [RF05]', async () => {
  const { signedIn, client, as, expire } = world()
  const first = await signedIn()
  const all = [first, ...Array.from({ length: 4 }, () => client())]
  await Promise.all(all.map(one => one.start()))
  expire()
  expect(await callAll(all, 10)).toEqual(Array(50).fill(200))
  expect(as.count('refresh_token')).toBe(1)
  expect(all.filter(one => one.types().includes('tokens-adopted'))).toHaveLength(4)
  expect(as.reuses).toBe(0)
})

test('two clients that receive no messages from each other send one refresh request', async () => {
  const { signedIn, client, as, store, clock, expire } = world()
  const deaf = () => sharedStore(clock, { keyValue: store.keyValue, lock: store.lock })
  const first = await signedIn({ store: deaf() })
  const second = client({ store: deaf() })
  await second.start()
  expire()
  expect(await callAll([first, second], 5)).toEqual(Array(10).fill(200))
  expect(as.count('refresh_token')).toBe(1)
})

test('clients with separate instances over one file send one refresh request', async () => {
  const { signedIn, client, as, expire } = world()
  const path = join(tempFolder(), 'tokens.json')
  const first = await signedIn({ store: file(path) })
  const others = [client({ store: file(path) }), client({ store: file(path) })]
  await Promise.all(others.map(one => one.start()))
  expire()
  expect(await callAll([first, ...others], 5)).toEqual(Array(15).fill(200))
  expect(as.count('refresh_token')).toBe(1)
})

test('clients that refresh one after the other each present only the newest refresh token', async () => {
  const { signedIn, client, as, expire } = world()
  const all = [await signedIn(), client()]
  for (let round = 0; round < 6; round++) {
    expire()
    expect((await all[round % 2]?.fetch(`${API}/me`))?.status).toBe(200)
  }
  const sent = as.tokenRequests.map(entry => entry.sent)
  expect(new Set(sent).size).toBe(sent.length)
  expect(as.reuses).toBe(0)
})

test('each client sees a sign-in and a sign-out in the other', async () => {
  const { client, clock } = world()
  const [one, other] = [client(), client()]
  await Promise.all([one.start(), other.start()])
  expect(other.session.status).toBe('signed-out')
  await one.signIn()
  await expect.poll(() => other.session.status).toBe('signed-in')
  clock.advance(1000)
  await other.signOut()
  await expect.poll(() => one.session).toMatchObject({ status: 'signed-out', reason: 'signed_out' })
})
