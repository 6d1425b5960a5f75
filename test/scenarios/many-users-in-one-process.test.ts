import { expect, test } from 'vitest'
import { createClients, type SharedParts } from '../../src/clients.ts'
import { ConfigurationError } from '../../src/errors.ts'
import { clientCredentials } from '../../src/grants.ts'
import { API } from '../support/strict-api.ts'
import { strictGrants } from '../support/strict-grants.ts'
import { agreeable, worlds } from '../support/world.ts'

const world = worlds()

function users(most?: number) {
  const here = world({ grants: strictGrants().grants })
  const clients = createClients({
    create: ({ session, ...parts }: SharedParts) =>
      here.client({ session, userAgent: agreeable(here.as, () => session), ...parts }),
    store: here.store,
    fetch: here.fetch,
    most,
  })
  const who = async (name: string) =>
    (
      (await clients
        .for(name)
        .fetch(`${API}/me`)
        .then(answer => answer.json())) as { who: string }
    ).who
  return { ...here, clients, who }
}

test("each user has a separate session in one store, and no user gets another's tokens", async () => {
  const { clients, who, expire, as, stored } = users()
  const names = ['alice', 'bob', 'a b/c', 'alice session']
  await Promise.all(names.map(name => clients.for(name).signIn()))
  expect(await Promise.all(names.map(who))).toEqual(names)
  expire()
  expect(await Promise.all([...names, ...names].map(who))).toEqual([...names, ...names])
  expect(as.count('refresh_token')).toBe(4)
  await clients.for('bob').signOut()
  expect(clients.for('bob').session.status).toBe('signed-out')
  expect((await stored()).length).toBe(3)
  expect(await who('alice')).toBe('alice')
})

test("the server's metadata and keys are requested once for all users", async () => {
  const { clients, as } = users()
  const names = Array.from({ length: 20 }, (_, index) => `user ${index}`)
  await Promise.all(names.map(name => clients.for(name).signIn()))
  expect(as.requests.filter(one => one.includes('well-known')).length).toBe(1)
  expect(as.requests.filter(one => one.includes('jwks')).length).toBe(1)
})

test('the least recently used clients are dropped, and their sessions are restored from the store', async () => {
  const { clients, who } = users(2)
  for (const name of ['alice', 'bob']) await clients.for(name).signIn()
  const first = clients.for('alice')
  await clients.for('carol').signIn()
  expect(clients.size).toBe(2)
  expect(clients.for('alice')).toBe(first)
  expect(await who('bob')).toBe('bob')
  expect(clients.size).toBe(2)
  expect(await first.getAccessToken()).toBe(await clients.for('alice').getAccessToken())
  clients.dispose()
  expect(clients.size).toBe(0)
})

test('idle sessions have no timers', async () => {
  const { clients, clock } = users()
  for (const name of ['alice', 'bob', 'carol']) await clients.for(name).signIn()
  const before = clock.waiting
  for (let index = 0; index < 100; index++) clients.for(`idle ${index}`)
  expect(clock.waiting).toBe(before)
})

test('tenants with a service token each are clients too', async () => {
  const double = strictGrants()
  const { client, store, fetch, as } = world({ grants: double.grants })
  const tenants = createClients({
    create: parts => client({ grant: clientCredentials(), scope: 'read', ...parts } as never),
    store,
    fetch,
  })
  const tokens = await Promise.all(['one', 'two', 'one'].map(name => tenants.for(name).getAccessToken()))
  expect(new Set(tokens).size).toBe(2)
  expect(as.count('client_credentials')).toBe(2)
})

test('createClients() rejects unusable options', () => {
  const { store } = users()
  const create = () => undefined as never
  expect(() => createClients({ store } as never)).toThrow(ConfigurationError)
  expect(() => createClients({ store, create, most: 0 })).toThrow(/"most"/)
  expect(() => createClients({ store, create }).for('')).toThrow(ConfigurationError)
})
