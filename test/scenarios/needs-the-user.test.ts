import { describe, expect, test } from 'vitest'
import type { Session } from '../../src/core/session.ts'
import type { ServerError } from '../../src/errors.ts'
import type { Fault } from '../support/faults.ts'
import { leaving, pageAt, refusing } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const CLAIMS = '{"access_token":{"capolids":{"essential":true,"values":["c1"]}}}'

/** How Microsoft Entra responds to a refresh when a policy requires the user (from its error code reference). */
const interactionRequired = (claims: unknown = CLAIMS): Fault => ({
  afterWork: false,
  answer: () =>
    Response.json(
      { error: 'interaction_required', error_description: 'AADSTS50076', suberror: 'basic_action', claims },
      { status: 400 },
    ),
})

/** A client whose session cannot be refreshed without its user. */
async function stuck(here: World, own: Parameters<World['signedIn']>[0] = {}) {
  const client = await here.signedIn(own)
  here.expire()
  here.as.failNext.push(interactionRequired())
  const error: ServerError = await client.fetch(`${API}/me`).catch(error => error)
  return { client, error }
}

const troubleOf = (session: Session) => (session.status === 'signed-in' ? session.trouble?.error : undefined)

describe('a refresh for which the server requires the user', () => {
  test('keeps the session, which reports the problem in every client of the store [F8.9]', async () => {
    const here = world()
    const { client, error } = await stuck(here)
    expect(error).toMatchObject({ code: 'ERR_SERVER', error: 'interaction_required', claims: CLAIMS })
    expect(error.message).toContain('signIn({ stepUp: error })')
    const other = here.client()
    await other.start()
    for (const { session } of [client, other])
      expect(troubleOf(session)).toMatchObject({ error: 'interaction_required', claims: CLAIMS })
    expect(here.as.count('refresh_token')).toBe(1)
  })

  test('is resolved by a sign-in that requests what the server and the app require [F8.9]', async () => {
    const here = world()
    const authorizationParameters = { claims: '{"access_token":{"xms_cc":{"values":["cp1"]}},"userinfo":{}}' }
    const { client, error } = await stuck(here, { authorizationParameters })
    const { userAgent, requests, callbacks } = leaving(here.as)
    await client.signIn({ stepUp: error, userAgent })
    expect(JSON.parse(requests[0]?.get('claims') ?? '')).toEqual({
      access_token: { xms_cc: { values: ['cp1'] }, capolids: { essential: true, values: ['c1'] } },
      userinfo: {},
    })
    await client.handleCallback(callbacks[0] as string)
    expect(troubleOf(client.session)).toBeUndefined()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
  })

  test('is resolved by recover() if the provider does not need the user after all [F8.9]', async () => {
    const here = world()
    const { client } = await stuck(here, { page: pageAt('https://app.example.com/') })
    const { userAgent, requests, callbacks } = leaving(here.as)
    await client.recover({ userAgent })
    expect(Object.fromEntries(requests[0] ?? [])).toMatchObject({ prompt: 'none', claims: CLAIMS })
    await client.handleCallback(callbacks[0] as string)
    expect(client.session).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
    expect(troubleOf(client.session)).toBeUndefined()
  })

  test('makes recover() try once, and the session stays if that is rejected [F8.9]', async () => {
    const here = world()
    const { client } = await stuck(here, { page: pageAt('https://app.example.com/') })
    const { userAgent, callbacks } = leaving(here.as, refusing(here.as, 'interaction_required'))
    await client.recover({ userAgent })
    const next = here.client({ page: pageAt(callbacks[0] as string) })
    expect(await next.start()).toMatchObject({ status: 'signed-in' })
    for (const one of [client, next])
      await expect(one.recover({ userAgent })).rejects.toMatchObject({ reason: 'interaction_required' })
    expect(callbacks).toHaveLength(1)
    expect(next.session.status).toBe('signed-in')
  })

  test.each([[undefined], [42], [{}], ['x'.repeat(5000)], ['{"a":"\u0000"}']])(
    'and that requests invalid claims (%o) is reported without them [F8.9]',
    async claims => {
      const here = world()
      const client = await here.signedIn()
      here.expire()
      here.as.failNext.push(interactionRequired(claims ?? null))
      const error = await client.fetch(`${API}/me`).catch(error => error)
      expect(error).toMatchObject({ error: 'interaction_required', claims: undefined })
      expect((await client.signIn({ stepUp: error })).status).toBe('signed-in')
    },
  )
})

describe('an API that rejects a valid access token (insufficient_claims)', () => {
  const NBF = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
  const challenge = (claims: string) =>
    new Response(null, {
      status: 401,
      headers: {
        'www-authenticate': `Bearer realm="", authorization_uri="https://login.example/authorize", error="insufficient_claims", claims="${claims}"`,
      },
    })
  /** @param times the number of calls it rejects */
  const refusingApi = (here: World, times: number, claims = btoa(NBF)) => ({
    fetch: (async (input, init) => {
      if (String(input).startsWith(`${API}/graph`) && times-- > 0) return challenge(claims)
      return here.fetch(input, init)
    }) as typeof fetch,
  })
  const asked = (client: { told: readonly { type: string }[] }) =>
    client.told.filter(({ type }) => type === 'step-up-required')

  test('gets a new access token without user interaction [F8.9]', async () => {
    const here = world()
    const client = await here.signedIn(refusingApi(here, 1))
    expect((await client.fetch(`${API}/graph`)).status).toBe(200)
    expect(here.as.count('refresh_token')).toBe(1)
    expect(asked(client)).toEqual([])
  })

  test('and also rejects the new one causes a sign-in request with its claims [F8.9]', async () => {
    const here = world()
    const client = await here.signedIn(refusingApi(here, 2))
    expect((await client.fetch(`${API}/graph`)).status).toBe(401)
    const [event] = asked(client)
    expect(event).toMatchObject({ error: 'insufficient_claims', claims: NBF, url: `${API}/graph` })
    const { userAgent, requests } = leaving(here.as)
    await client.signIn({ stepUp: event as never, userAgent })
    expect(requests[0]?.get('claims')).toBe(NBF)
  })

  test('causes a sign-in request if the refresh fails [F8.9]', async () => {
    const here = world()
    const client = await here.signedIn(refusingApi(here, 1))
    here.as.failNext.push(interactionRequired())
    expect((await client.fetch(`${API}/graph`)).status).toBe(401)
    expect(asked(client)).toMatchObject([{ claims: NBF }])
  })

  test.each(['', '%%%', btoa('no JSON'), btoa('"text"'), btoa('{'.repeat(4000)), 'x'.repeat(9000)])(
    'with unreadable claims (%#) causes a sign-in request without them [F8.9]',
    async claims => {
      const here = world()
      const client = await here.signedIn(refusingApi(here, 2, claims))
      expect((await client.fetch(`${API}/graph`)).status).toBe(401)
      expect(asked(client)).toMatchObject([{ error: 'insufficient_claims' }])
      expect(asked(client)[0]).not.toMatchObject({ claims: expect.anything() })
    },
  )
})
