import { expect, test } from 'vitest'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test('a POST that an API rejected with 401 is replayed once, because the API has not processed it [RQ17]', async () => {
  const { signedIn, as, api } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  const response = await client.fetch(`${API}/me`, { method: 'POST', body: 'order' })
  expect(await response.json()).toMatchObject({ method: 'POST', body: 'order' })
  expect(api.requests.map(({ status }) => status)).toEqual([401, 200])
})

test.each<[string, () => Response]>([
  ['500', () => new Response(null, { status: 500 })],
  ['503', () => new Response(null, { status: 503, headers: { 'retry-after': '0' } })],
  ['a connection that breaks', () => Response.error()],
])('a POST that meets %s is not replayed, and the caller gets the result [RQ17]', async (_what, answer) => {
  const here = world()
  let sent = 0
  const client = await here.signedIn({
    async fetch(input, init) {
      if (!String(input).startsWith(API)) return here.fetch(input, init)
      sent++
      const { type, status, headers } = answer()
      if (type === 'error') throw new TypeError('fetch failed')
      return new Response(null, { status, headers })
    },
  })
  const end = await client.fetch(`${API}/me`, { method: 'POST', body: 'order' }).catch(error => error)
  expect(end instanceof TypeError || end.status >= 500).toBe(true)
  expect(sent).toBe(1)
  expect(here.as.count('refresh_token')).toBe(0)
})

test('latchkey ignores the expiry, audience and scope inside a JWT access token [RQ22]', async () => {
  const here = world()
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { exp: 1, aud: 'https://other.example', scope: 'nothing', iss: 'https://other.example' }
  const jwt = `${part({ alg: 'RS256', typ: 'at+jwt' })}.${part(claims)}.c2ln`
  let sent: string | null = null
  const client = await here.signedIn({
    async fetch(input, init) {
      if (String(input).startsWith(API)) {
        sent = new Request(input, init).headers.get('authorization')
        return Response.json({})
      }
      const answer = await here.fetch(input, init)
      const body = (await answer
        .clone()
        .json()
        .catch(() => undefined)) as { access_token?: string } | undefined
      return body?.access_token ? Response.json({ ...body, access_token: jwt }) : answer
    },
  })
  expect((await client.fetch(`${API}/me`)).status).toBe(200)
  expect(sent).toBe(`Bearer ${jwt}`)
  expect(client.session).toMatchObject({ scope: ['openid', 'read'] })
  expect(here.as.count('refresh_token')).toBe(0)
})
