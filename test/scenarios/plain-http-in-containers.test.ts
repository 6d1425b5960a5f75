import { describe, expect, test } from 'vitest'
import { createBackChannelLogout } from '../../src/actions/back-channel-logout.ts'
import { parseOptions } from '../../src/options.ts'
import { createProtect } from '../../src/resource-server/protect.ts'
import { pageAt } from '../support/leaving.ts'
import { createTestIssuer } from '../support/resource-server/issuer.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
/** As containers of one network name each other. */
const ISSUER = 'http://keycloak:8080'

describe('an authorization server in a container that uses plain http', () => {
  test('is refused, but accepted with a warning if the app allows its origin for tests [F8.7]', async () => {
    const { client, expire } = world({ issuer: ISSUER })
    expect(() => client()).toThrow(/"issuer" must be an https URL/)

    const one = client({ allowPlainHttpForTests: [ISSUER] })
    await one.signIn()
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(one.told).toContainEqual(expect.objectContaining({ about: 'plain_http' }))
    expire()
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    await one.signOut()
    expect(one.told).toContainEqual(expect.objectContaining({ type: 'revocation-response', ok: true }))
  })

  test('may not name an endpoint at another plain http origin [F8.7]', async () => {
    const { client, as } = world({ issuer: ISSUER })
    Object.assign(as.metadata, { token_endpoint: 'http://elsewhere:8080/token' })
    const one = client({ allowPlainHttpForTests: [ISSUER] })
    await expect(one.signIn()).rejects.toThrow(/"token_endpoint" must be an https URL/)
  })

  test('is refused in a page that is served over https, whatever the options are [F8.7]', () => {
    const { client } = world({ issuer: ISSUER })
    const page = pageAt('https://app.example.com/')
    expect(() => client({ page, allowPlainHttpForTests: [ISSUER] })).toThrow(
      /"allowPlainHttpForTests" must be left out where the page is served over https/,
    )
  })
})

test('an API in a container that uses plain http gets tokens only if the app names it in both lists [F8.7]', async () => {
  const sent: (string | null)[] = []
  const plain = 'http://notes:3000'
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith(plain)) return here.fetch(input, init)
    sent.push(request.headers.get('authorization'))
    return new Response()
  }
  const here = world()
  expect(() => here.client({ fetch, allowedOrigins: [plain] })).toThrow(/"allowedOrigins" must be/)
  const one = here.client({ fetch, allowedOrigins: [plain], allowPlainHttpForTests: [plain] })
  await one.signIn()
  await one.fetch(`${plain}/notes`)
  const other = here.client({ fetch, allowedOrigins: [API], allowPlainHttpForTests: [plain] })
  await other.start()
  await other.fetch(`${plain}/notes`)
  expect(sent).toEqual([expect.stringMatching(/^Bearer /), null])
})

test.each([
  ['https://keycloak:8443'],
  ['http://keycloak:8080/'],
  ['http://keycloak:8080/realm'],
  ['keycloak'],
  7,
])('only plain http origins can be allowed, not %j [F8.7]', entry => {
  const options = { issuer: 'https://id.example.com', clientId: 'app', redirectUri: '/', allowedOrigins: [] }
  const allowPlainHttpForTests = [entry].flat() as string[]
  expect(() => parseOptions({ ...options, allowPlainHttpForTests }, undefined)).toThrow(
    /"allowPlainHttpForTests" must be a list of origins such as "http:\/\/keycloak:8080"/,
  )
})

test('an API in a container accepts tokens of a plain http issuer that it allows for tests [F8.7]', async () => {
  const issuer = createTestIssuer({ issuer: ISSUER })
  const options = { issuer: ISSUER, audience: API }
  expect(() => createProtect(options, issuer)).toThrow(/"issuer" must be an https URL/)
  const api = createProtect({ ...options, allowPlainHttpForTests: [ISSUER] }, issuer)
  const headers = { authorization: `Bearer ${issuer.accessToken({ aud: API })}` }
  expect(await api(new Request(`${API}/me`, { headers }))).toMatchObject({ valid: true, issuer: ISSUER })
})

test('a service in a container receives sign-outs from a plain http provider that it allows for tests [F8.7]', () => {
  const options = { issuer: ISSUER, clientId: 'app', endSessions() {} }
  expect(() => createBackChannelLogout(options)).toThrow(/"issuer" must be an https URL/)
  expect(createBackChannelLogout({ ...options, allowPlainHttpForTests: [ISSUER] })).toHaveProperty('handle')
})
