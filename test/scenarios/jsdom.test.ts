// @vitest-environment jsdom
import { webcrypto } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { createClient, memory } from '../../src/index.ts'
import { userInfo } from '../../src/userinfo.ts'
import { API } from '../support/strict-api.ts'
import { agreeable, worlds } from '../support/world.ts'

const world = worlds()

/** A client as an app creates it in its own test. */
function appIn({ as, fetch, clock }: ReturnType<typeof world>) {
  const client = createClient({
    issuer: as.issuer,
    clientId: as.clientId,
    redirectUri: as.redirectUri,
    allowedOrigins: [API],
    userAgent: agreeable(as),
    store: memory(),
    fetch,
    clock,
  })
  onTestFinished(() => client.dispose())
  return client
}

/** jsdom has no Web Crypto; some test runners add Node's. */
function withCrypto(value: unknown) {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'crypto')
  Object.defineProperty(globalThis, 'crypto', { value, configurable: true, writable: true })
  onTestFinished(() => {
    if (before) Object.defineProperty(globalThis, 'crypto', before)
  })
}

test('in jsdom a client can be created and started without Web Crypto; signIn() says what is missing [F4.6]', async () => {
  expect(globalThis.document).toBeDefined()
  const here = world()
  withCrypto(undefined)
  const client = appIn(here)
  expect(await client.start()).toEqual({ status: 'signed-out' })
  await expect(client.signIn()).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringMatching(/has no Web Crypto.*globalThis\.crypto = webcrypto/),
  })
})

test("in jsdom with Node's Web Crypto a user signs in and calls an API [F4.6]", async () => {
  withCrypto(webcrypto)
  const client = appIn(world())
  await client.start()
  expect(await client.signIn()).toMatchObject({ status: 'signed-in' })
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
})

test('a client that the app has implemented itself is rejected by name where a real one is required [F4.6]', async () => {
  const fake = { session: { status: 'signed-out' } } as const
  await expect(userInfo(fake)).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: '"client" must be one that createClient() returned.',
  })
})
