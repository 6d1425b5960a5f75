import { expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/index.ts'
import { API } from '../support/strict-api.ts'
import { agreeable, worlds } from '../support/world.ts'

const world = worlds()

test('the browser client works without a window, document and localStorage, and a restart keeps the session', async () => {
  for (const global of ['window', 'document', 'indexedDB']) {
    expect(global in globalThis).toBe(false) // Node has none of these, like an extension's worker
  }
  const { as, store, fetch, clock, expire } = world()
  const begin = () => {
    const client = createClient({
      issuer: as.issuer,
      clientId: as.clientId,
      redirectUri: as.redirectUri,
      scope: 'openid read',
      allowedOrigins: [API],
      userAgent: agreeable(as),
      store,
      fetch,
      clock,
    })
    onTestFinished(() => client.dispose())
    return client
  }
  const first = begin()
  await first.signIn()
  first.dispose()
  const restarted = begin()
  expect(await restarted.start()).toMatchObject({ status: 'signed-in' })
  expire()
  expect((await restarted.fetch(`${API}/me`)).status).toBe(200)
  expect(as.count('refresh_token')).toBe(1)
})

test('the client selects an available store; if there is none, tokens are in memory and nothing throws', async () => {
  const { as, fetch, clock } = world()
  const client = createClient({
    issuer: as.issuer,
    clientId: as.clientId,
    redirectUri: as.redirectUri,
    allowedOrigins: [API],
    userAgent: agreeable(as),
    fetch,
    clock,
  })
  onTestFinished(() => client.dispose())
  expect(await client.start()).toMatchObject({ status: 'signed-out' })
  expect(await client.signIn()).toMatchObject({ status: 'signed-in' })
})
