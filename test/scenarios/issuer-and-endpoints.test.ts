import { describe, expect, test } from 'vitest'
import { rewritten, status } from '../support/faults.ts'
import { type LeavingPage, leaving, pageAt } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const warnings = (client: { told: readonly object[] }) =>
  client.told.flatMap(event => ('about' in event ? [event.about] : []))
const UNFIT = [
  'javascript:alert(1)',
  'data:text/html,hello',
  'http://id.example.com/authorize',
  'https://user@id.example.com/authorize',
  'https://:secret@id.example.com/authorize',
  '//id.example.com/authorize',
  7,
  undefined,
]

describe('an endpoint in the metadata', () => {
  test.for(UNFIT)(
    'for the sign-in that is %s is rejected before anything is opened [AR08]',
    async endpoint => {
      const { as, client } = world()
      as.metadata.authorization_endpoint = endpoint
      const { userAgent, requests } = leaving(as)
      await expect(client({ userAgent }).signIn()).rejects.toMatchObject({
        code: 'ERR_CONFIGURATION',
        message: expect.stringContaining('authorization_endpoint'),
      })
      expect(requests).toEqual([])
    },
  )

  test.for(UNFIT)(
    'for the sign-out that is %s is not opened; the user is signed out [AR08]',
    async endpoint => {
      const { as, signedIn } = world()
      as.metadata.end_session_endpoint = endpoint
      const left: string[] = []
      const page: LeavingPage = {
        ...pageAt('https://app.example.com/'),
        leave: async url => void left.push(url),
      }
      const client = await signedIn({ page })
      await client.signOut()
      expect(left).toEqual([])
      expect(client.session.status).toBe('signed-out')
    },
  )

  test.for(['http://id.example.com/token', 'javascript:0', 'https://a:b@id.example.com/token'])(
    'for tokens that is %s is rejected [DM06, TR02]',
    async endpoint => {
      const { as, client } = world()
      as.metadata.token_endpoint = endpoint
      await expect(client().signIn()).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
      expect(as.tokenRequests).toEqual([])
    },
  )

  test('for keys that uses plain http is rejected [DM06]', async () => {
    const { as, client } = world()
    as.metadata.jwks_uri = 'http://id.example.com/jwks'
    await expect(client().signIn()).rejects.toMatchObject({ message: expect.stringContaining('jwks_uri') })
  })

  test('for tokens at another host is used, with one warning [DM07]', async () => {
    const { as, client, fetch } = world()
    as.metadata.token_endpoint = 'https://tokens.example.net/token'
    const elsewhere: typeof fetch = (input, init) =>
      fetch(String(input).replace('https://tokens.example.net', as.issuer), init)
    const one = client({ fetch: elsewhere })
    await one.signIn()
    expect(one.told.filter(event => event.type === 'metadata-response')).toMatchObject([
      { tokenEndpoint: 'https://tokens.example.net/token' },
    ])
    expect(warnings(one)).toEqual([])
  })
})

describe('two issuers', () => {
  test.for<[string, (iss: string) => string | undefined]>([
    ['the other issuer', () => 'https://other.example'],
    ['its own issuer with a slash', iss => `${iss}/`],
    ['its own issuer in capitals', iss => iss.toUpperCase()],
  ])('whose responses are mixed up by %s get no code [RS06]', async ([, change]) => {
    const [here, there] = [world(), world({ issuer: 'https://other.example' })]
    const away = leaving(here.as)
    const [one, other] = [here.client(away), there.client({ store: here.store })]
    await one.signIn()
    const callback = new URL(away.callbacks[0] as string)
    callback.searchParams.set('iss', change(here.as.issuer) as string)
    await expect(one.handleCallback(callback)).rejects.toMatchObject({ code: 'ERR_CALLBACK' })
    expect(await other.handleCallback(callback)).toEqual({ handled: false })
    expect([here.as.tokenRequests, there.as.tokenRequests]).toEqual([[], []])
  })

  test('a response without iss is rejected if the server announces iss [RS05]', async () => {
    const { as, client } = world()
    const away = leaving(as)
    const one = client(away)
    await one.signIn()
    const callback = new URL(away.callbacks[0] as string)
    callback.searchParams.delete('iss')
    await expect(one.handleCallback(callback)).rejects.toMatchObject({ reason: 'invalid_response' })
    expect(as.tokenRequests).toEqual([])
  })

  test('a wrong iss is rejected even if the server does not announce iss [RS08]', async () => {
    const { as, client } = world()
    as.metadata.authorization_response_iss_parameter_supported = undefined
    const away = leaving(as)
    const one = client(away)
    await one.signIn()
    const callback = new URL(away.callbacks[0] as string)
    callback.searchParams.set('iss', 'https://other.example')
    await expect(one.handleCallback(callback)).rejects.toMatchObject({ reason: 'invalid_response' })
    expect(as.tokenRequests).toEqual([])
  })
})

describe('metadata that no longer has', () => {
  test.for([
    ['code_challenge_methods_supported', ['S256']],
    ['authorization_response_iss_parameter_supported', true],
    ['dpop_signing_alg_values_supported', ['ES256']],
    ['pushed_authorization_request_endpoint', 'https://id.example.com/par'],
  ] as const)('%s causes a warning, and an error with strict', async ([member, value]) => {
    const here = world()
    const { as } = here
    as.metadata[member] = value
    const before = await here.signedIn()
    expect(warnings(before)).toEqual([])
    as.metadata[member] = undefined
    const after = here.client()
    await after.signIn()
    await expect.poll(() => warnings(after)).toEqual(['metadata_downgrade'])
    const strict = here.client({ strict: true })
    await expect(strict.signIn()).rejects.toMatchObject({
      code: 'ERR_SERVER',
      error: 'metadata_downgrade',
      message: expect.stringContaining(member),
    })
    as.metadata[member] = value
    expect(await strict.signIn()).toMatchObject({ status: 'signed-in' })
    expect(warnings(strict)).toEqual([])
  })

  test('nothing, but has gained a member, is remembered for the next time', async () => {
    const here = world()
    await here.signedIn({ strict: true })
    here.as.metadata.pushed_authorization_request_endpoint = 'https://id.example.com/par'
    await here.signedIn({ strict: true })
    await expect.poll(async () => JSON.stringify(await here.stored(' protections'))).toContain('pushed')
    here.as.metadata.pushed_authorization_request_endpoint = undefined
    await expect(here.client({ strict: true }).signIn()).rejects.toMatchObject({
      error: 'metadata_downgrade',
    })
  })

  test('a session is kept when a strict client rejects the metadata', async () => {
    const here = world()
    await here.signedIn()
    here.as.metadata.code_challenge_methods_supported = undefined
    const strict = here.client({ strict: true })
    here.expire()
    await expect(strict.fetch(`${API}/me`)).rejects.toMatchObject({ error: 'metadata_downgrade' })
    expect(strict.session.status).toBe('signed-in')
  })
})

describe('an issuer in another spelling', () => {
  test('with a Microsoft quirk signs in with the tenant from the ID Token', async () => {
    const { as, client } = world()
    as.metadata.issuer = 'https://id.example.com/{tenantid}/v2.0'
    as.metadata.authorization_response_iss_parameter_supported = undefined
    as.idTokenClaims = { iss: 'https://id.example.com/9d2-1/v2.0', tid: '9d2-1' }
    await expect(client().signIn()).rejects.toMatchObject({ code: 'ERR_SERVER', quirk: 'issuer_template' })
    const { userAgent, callbacks } = leaving(as)
    const one = client({ quirks: ['issuer_template'], userAgent })
    await one.signIn()
    const callback = new URL(callbacks[0] as string)
    callback.searchParams.delete('iss')
    expect(await one.handleCallback(callback)).toMatchObject({ session: { status: 'signed-in' } })
    expect(warnings(one)).toEqual(['quirk'])
  })

  test('with another tenant is rejected', async () => {
    const { as, client } = world()
    as.metadata.issuer = 'https://id.example.com/{tenantid}/v2.0'
    as.metadata.authorization_response_iss_parameter_supported = undefined
    as.idTokenClaims = { iss: 'https://id.example.com/other/v2.0', tid: '9d2-1' }
    const { userAgent, callbacks } = leaving(as)
    const one = client({ quirks: ['issuer_template'], userAgent })
    await one.signIn()
    const callback = new URL(callbacks[0] as string)
    callback.searchParams.delete('iss')
    await expect(one.handleCallback(callback)).rejects.toMatchObject({ reason: 'invalid_response' })
  })

  test('without its scheme in the ID Token is rejected by name, and accepted with issuer_without_scheme', async () => {
    const { as, client, expire } = world()
    as.idTokenClaims = { iss: 'id.example.com' }
    await expect(client().signIn()).rejects.toMatchObject({ cause: { quirk: 'issuer_without_scheme' } })
    const one = client({ quirks: ['issuer_without_scheme'] })
    await one.signIn()
    expire()
    expect((await one.fetch(`${API}/me`)).status).toBe(200)
    expect(warnings(one)).toEqual(['quirk'])
  })
})

describe('metadata', () => {
  test('with a duplicate member is rejected with a typed error [MX03]', async () => {
    const { as, client } = world()
    as.failMetadata.push(
      rewritten(() => JSON.stringify(as.metadata).replace('{', '{"issuer":"https://evil.example",')),
    )
    await expect(client().signIn()).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'invalid_response' })
  })

  test('that is also signed is read from its plain members [DM15]', async () => {
    const { as, client } = world()
    as.metadata.signed_metadata = 'e30.eyJ0b2tlbl9lbmRwb2ludCI6Imh0dHBzOi8vZXZpbC5leGFtcGxlIn0.'
    expect(await client().signIn()).toMatchObject({ status: 'signed-in' })
  })

  test('that cannot be fetched keeps the session and is requested again [DM04]', async () => {
    const here = world()
    await here.signedIn()
    here.expire()
    const next = here.client()
    here.as.failMetadata.push(status(500))
    await expect(next.fetch(`${API}/me`)).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      reason: 'unavailable',
    })
    here.clock.advance(60_000)
    expect((await next.fetch(`${API}/me`)).status).toBe(200)
  })
})
