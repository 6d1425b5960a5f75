import { expect, test } from 'vitest'
import { everything } from '../support/canaries.ts'
import { leaving } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test("an app's fetch is the transport and sees tokens; its listeners and logs do not [MX17]", async () => {
  const here = world()
  const sent: string[] = []
  const client = await here.signedIn({
    fetch: (input, init) => {
      const request = new Request(input, init)
      sent.push(request.headers.get('authorization') ?? '', String(init?.body ?? ''))
      return here.fetch(input, init)
    },
  })
  const heard: unknown[] = []
  client.events.subscribe(event => heard.push(event))
  client.subscribe(session => heard.push(session))
  here.expire()
  await client.fetch(`${API}/me`)
  const accessToken = await client.getAccessToken()
  expect(sent).toContain(`Bearer ${accessToken}`)
  expect(heard.length).toBeGreaterThan(3)
  const seen = everything([heard, client.session, client.explain()])
  expect([...here.as.secrets].filter(secret => seen.includes(secret))).toEqual([])
})

test('no line break from an app is sent as such in a header, an address or a form [MX18]', async () => {
  const odd = 'app\r\nX-Evil: 1'
  const here = world({ clientId: odd })
  const away = leaving(here.as)
  const sent: string[] = []
  const client = here.client({
    userAgent: away.userAgent,
    scope: 'openid\r\nread',
    authorizationParameters: { audience: 'one\r\ntwo' },
    fetch: (input, init) => {
      sent.push(String(input), String(init?.body ?? ''), JSON.stringify(init?.headers ?? {}))
      return here.fetch(input, init)
    },
  })
  await client.signIn()
  await client.handleCallback(away.callbacks[0] as string)
  expect(client.session.status).toBe('signed-in')
  const [query = new URLSearchParams()] = away.requests
  expect(query.get('client_id')).toBe(odd)
  expect(query.get('audience')).toBe('one\r\ntwo')
  expect(query.get('scope')).toBe('openid read')
  expect([String(query), ...sent].filter(text => /[\r\n]|\\r|\\n/.test(text))).toEqual([])
})

test('a code is exchanged in a form with the redirect URI, the verifier and the client of its request [TR03]', async () => {
  const here = world()
  const away = leaving(here.as)
  const sent: { url: string; method: string; type: string | null; form: URLSearchParams }[] = []
  const client = here.client({
    userAgent: away.userAgent,
    async fetch(input, init) {
      const request = new Request(input, init)
      if (request.url.endsWith('/token')) {
        const { url, method, headers } = request
        sent.push({
          url,
          method,
          type: headers.get('content-type'),
          form: new URLSearchParams(await request.text()),
        })
      }
      return here.fetch(input, init)
    },
  })
  await client.signIn()
  const [query = new URLSearchParams()] = away.requests
  await client.handleCallback(away.callbacks[0] as string)
  expect(sent).toMatchObject([{ url: `${here.as.issuer}/token`, method: 'POST' }])
  const [{ type, form } = { type: '', form: new URLSearchParams() }] = sent
  expect(type).toMatch(/^application\/x-www-form-urlencoded/)
  expect(form.get('redirect_uri')).toBe(query.get('redirect_uri'))
  expect(form.get('client_id')).toBe(query.get('client_id'))
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(form.get('code_verifier') ?? ''))
  expect(Buffer.from(digest).toString('base64url')).toBe(query.get('code_challenge'))
})
