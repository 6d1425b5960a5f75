import { expect, test } from 'vitest'
import type { ClientEvent } from '../../src/core/events.ts'
import type { UserAgent } from '../../src/core/ports.ts'
import { API } from '../support/strict-api.ts'
import { agreeable, type World, worlds } from '../support/world.ts'

const world = worlds()

/** The same user agent, recording its requests. */
const watched = (agent: UserAgent) => {
  const requests: URLSearchParams[] = []
  const begin: UserAgent['begin'] = redirectUri => {
    const attempt = agent.begin(redirectUri)
    return {
      ...attempt,
      authorize(url, state) {
        requests.push(new URL(url).searchParams)
        return attempt.authorize(url, state)
      },
    }
  }
  return { requests, agent: { ...agent, begin } }
}

/** An API that requires more than the token grants. */
const demanding = (here: World, status: number, challenge: string) => {
  let sent = 0
  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (!String(input).startsWith(`${API}/vault`)) return here.fetch(input, init)
    sent++
    return new Response('no', { status, headers: { 'www-authenticate': challenge } })
  }
  return { fetch, sent: () => sent }
}

const isStepUp = (event: ClientEvent) => event.type === 'step-up-required'

test.for<[string, number, string, object, Record<string, string>]>([
  [
    'a scope',
    403,
    'Bearer error="insufficient_scope", scope="vault"',
    { error: 'insufficient_scope', scope: 'vault' },
    { scope: 'openid read vault' },
  ],
  [
    'a stronger and newer authentication',
    401,
    'Bearer error="insufficient_user_authentication", acr_values="gold silver", max_age="60"',
    { error: 'insufficient_user_authentication', acrValues: 'gold silver', maxAgeSeconds: 60 },
    { scope: 'openid read', acr_values: 'gold silver', max_age: '60' },
  ],
])(
  'an API that asks for %s causes an event that signIn() accepts as its step-up [RQ13, RQ14]',
  async ([, status, challenge, event, asked]) => {
    const here = world()
    const { fetch, sent } = demanding(here, status, challenge)
    const { requests, agent } = watched(agreeable(here.as))
    const client = await here.signedIn({ fetch, userAgent: agent })
    const response = await client.fetch(`${API}/vault?id=1`)
    expect(response.status).toBe(status)
    expect(await response.text()).toBe('no')
    expect(sent()).toBe(1)
    expect(here.as.count('refresh_token')).toBe(0)

    const told = client.told.find(isStepUp)
    expect(told).toMatchObject({ type: 'step-up-required', url: `${API}/vault`, ...event })
    await client.signIn({ stepUp: told as ClientEvent & { type: 'step-up-required' } })
    expect(Object.fromEntries(requests.at(-1) as URLSearchParams)).toMatchObject(asked)
    expect(requests.at(-1)?.get('max_age')).toBe(asked.max_age ?? null)
    expect(client.session.status).toBe('signed-in')
  },
)

test('a step-up keeps the scopes from an earlier one [RQ13]', async () => {
  const here = world()
  const { requests, agent } = watched(agreeable(here.as))
  const client = await here.signedIn({ userAgent: agent })
  await client.signIn({ stepUp: { scope: 'vault' } })
  await client.signIn({ stepUp: { scope: 'attic' } })
  expect(requests.map(query => query.get('scope'))).toEqual([
    'openid read',
    'openid read vault',
    'openid read vault attic',
  ])
})

test("values in an API's challenge that are not valid in a URL are omitted [RQ15]", async () => {
  const here = world()
  const challenge = `Bearer error="insufficient_user_authentication", acr_values="${'x'.repeat(10_000)}", max_age="soon"`
  const { fetch } = demanding(here, 401, challenge)
  const client = await here.signedIn({ fetch })
  await client.fetch(`${API}/vault`)
  const told = client.told.find(isStepUp)
  expect(told).toMatchObject({ acrValues: undefined, maxAgeSeconds: undefined })
})

test.for<[string, object, string]>([
  ['an invalid scope', { scope: 'a"b' }, 'stepUp.scope'],
  ['an invalid age', { maxAgeSeconds: -1 }, 'stepUp.maxAgeSeconds'],
  ['half a second', { maxAgeSeconds: 0.5 }, 'stepUp.maxAgeSeconds'],
])('a step-up with %s is rejected by name before the page leaves', async ([, stepUp, name]) => {
  const client = world().client()
  await expect(client.signIn({ stepUp })).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
    message: expect.stringContaining(name),
  })
})

test('a 401 for a request with a stream body reports that it was not replayed, and the next call succeeds [RQ18]', async () => {
  const { signedIn, as } = world()
  const client = await signedIn()
  as.revokeAccessTokens()
  const body = new Blob(['one', 'two']).stream()
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit
  const response = await client.fetch(`${API}/me`, init)
  expect(response.status).toBe(401)
  expect((response as { latchkey?: unknown }).latchkey).toEqual({ bodyNotReplayable: true })
  expect(Object.keys(response)).not.toContain('latchkey')
  expect(client.types()).toContain('body-not-replayable')
  expect(as.count('refresh_token')).toBe(1)
  const next = await client.fetch(`${API}/me`)
  expect(next.status).toBe(200)
  expect(next).not.toHaveProperty('latchkey')
  expect(as.count('refresh_token')).toBe(1)
})
