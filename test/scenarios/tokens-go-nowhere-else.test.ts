import { describe, expect, test } from 'vitest'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

describe('an access token is sent only to allowed origins: not', () => {
  test.each([
    ['to a host with the same ending', 'https://evilapi.example.com/me'],
    ['to a host with the same beginning', 'https://api.example.com.evil.example/me'],
    ['to a subdomain', 'https://sub.api.example.com/me'],
    ['to a parent domain', 'https://example.com/me'],
    ['to the host with a final dot', 'https://api.example.com./me'],
    ['to another port', 'https://api.example.com:8443/me'],
    ['over http', 'http://api.example.com/me'],
    ['to a host behind a backslash', 'https://evil.example\\@api.example.com/me'],
    ['to a protocol-relative address', '//evil.example/me'],
    ['to the authorization server', 'https://id.example.com/userinfo'],
    ['to a look-alike in another script', 'https://аpi.example.com/me'],
  ])('%s', async (_what, address) => {
    const { signedIn, api, as } = world()
    const client = await signedIn()
    const url = address.startsWith('//') ? new URL(address, 'https://app.example.com').href : address
    for (const input of [url, new URL(url)]) expect((await client.fetch(input)).status).toBe(200)
    expect((await client.fetch(new Request(url, { method: 'POST', body: 'mine' }))).status).toBe(200)
    expect(api.requests).toEqual([])
    expect(api.elsewhere).toHaveLength(3)
    expect(JSON.stringify(api.elsewhere)).not.toMatch(/authorization|access-|refresh-/)
    expect(as.count('refresh_token')).toBe(0)
  })
})

test('an allowed address with userinfo is passed to fetch without a token', async () => {
  const { signedIn, api } = world()
  const client = await signedIn()
  for (const name of ['user@api.example.com', 'user:pass@api.example.com', 'api.example.com@evil.example']) {
    await client.fetch(`https://${name}/me`).catch(() => {})
  }
  expect(JSON.stringify([api.requests, api.elsewhere])).not.toContain('access-')
})

test('an invalid URL is passed to fetch, which throws its usual error', async () => {
  const { signedIn, fetch } = world()
  const client = await signedIn()
  for (const input of ['/relative', 'https://', '']) {
    const own = await fetch(input).catch((error: Error) => error.message)
    await expect(client.fetch(input)).rejects.toThrow(own as string)
  }
})

test('no URL or event contains a token [MX16]', async () => {
  const { signedIn, as, api, expire } = world()
  const client = await signedIn()
  expire()
  await client.fetch(`${API}/me?query=mine#part`)
  expect(as.requests.join()).not.toMatch(/access-|refresh-|code-/)
  expect(api.requests.map(({ url }) => url)).toEqual([`${API}/me?query=mine#part`])
  expect(JSON.stringify(client.told)).not.toContain('query=mine')
})

describe('an Authorization header set by the caller', () => {
  const own = 'Basic bWluZQ=='
  test.each<[string, () => [RequestInfo, RequestInit?]]>([
    ['in an object', () => [`${API}/public`, { headers: { AUTHORIZATION: own } }]],
    ['in Headers', () => [`${API}/public`, { headers: new Headers({ authorization: own }) }]],
    ['in a list', () => [`${API}/public`, { headers: [['Authorization', own]] }]],
    ['in a Request', () => [new Request(`${API}/public`, { headers: { authorization: own } })]],
  ])('%s is kept, and causes neither refresh nor replay [RQ21]', async (_what, args) => {
    const { signedIn, api, as, expire } = world()
    const client = await signedIn()
    expire()
    expect((await client.fetch(...args())).status).toBe(200)
    expect(api.requests.map(({ headers }) => headers.authorization)).toEqual([own])
    expect(as.count('refresh_token')).toBe(0)
  })

  test('makes the caller get its own 401 unchanged', async () => {
    const { signedIn, api, as } = world()
    const client = await signedIn()
    const response = await client.fetch(`${API}/me`, { headers: { authorization: own } })
    expect(response.status).toBe(401)
    expect(api.requests).toHaveLength(1)
    expect(as.count('refresh_token')).toBe(0)
  })

  test('is ignored if the headers in init replace those of the Request', async () => {
    const { signedIn, api } = world()
    const client = await signedIn()
    const request = new Request(`${API}/me`, { headers: { authorization: own, 'x-mine': 'no' } })
    expect((await client.fetch(request, { headers: { 'x-mine': 'yes' } })).status).toBe(200)
    expect(api.requests[0]?.headers).toMatchObject({ 'x-mine': 'yes' })
  })
})

test("two clients of one store with different client IDs or issuers never see each other's session [ST02]", async () => {
  const { signedIn, client } = world()
  await signedIn()
  for (const options of [{ clientId: 'another' }, { issuer: 'https://id.example.com/tenant' }]) {
    const other = client(options)
    expect((await other.start()).status).toBe('signed-out')
  }
})

test('an API that echoes the request in its challenge puts none of it into an event or explain() [F6.1]', async () => {
  const { signedIn, as, fetch } = world()
  const client = await signedIn({
    async fetch(input, init) {
      if (!String(input).startsWith(API)) return fetch(input, init)
      const headers = new Headers(init?.headers)
      const accessToken = headers.get('authorization')?.slice(7) ?? ''
      const texts = [
        accessToken,
        encodeURIComponent(`${accessToken}!`),
        headers.get('x-key'),
        `x ${accessToken} y`,
      ]
      const text = texts[Number(new URL(String(input)).searchParams.get('text'))]
      const [status, error] = String(input).includes('/step') ? [403, 'insufficient_scope'] : [401, text]
      const challenge = `Bearer error="${error}", scope="read ${text}", acr_values="${text}"`
      return new Response(null, { status: status as number, headers: { 'www-authenticate': challenge } })
    },
  })
  const headers = { 'x-key': 'the-very-own-key-of-the-app' }
  for (const path of ['refused', 'step']) {
    for (let text = 0; text < 4; text++) await client.fetch(`${API}/${path}?text=${text}`, { headers })
  }
  const shown = JSON.stringify([client.told, client.explain()])
  expect(client.types()).toContain('step-up-required')
  expect(shown).not.toContain('the-very-own-key')
  for (const secret of as.secrets) expect(shown).not.toContain(secret)
})
