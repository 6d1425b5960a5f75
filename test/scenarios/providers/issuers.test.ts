import { createVerify, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { apple, appleCallbackUrl } from '../../../src/providers/apple.ts'
import { auth0 } from '../../../src/providers/auth0.ts'
import { cognito, cognitoLogoutUrl } from '../../../src/providers/cognito.ts'
import { discord } from '../../../src/providers/discord.ts'
import { entra } from '../../../src/providers/entra.ts'
import { keycloak } from '../../../src/providers/keycloak.ts'
import { okta } from '../../../src/providers/okta.ts'
import { createIssuer, type Peculiarities } from '../../support/hosted/issuers.ts'
import { json, oauthRefusal } from '../../support/hosted/server.ts'
import { hostedWorlds } from '../../support/hosted/world.ts'

const API = 'https://api.example.com/me'
const clientId = 'app'
const TENANT = 'c7a3f2de-0d8e-4c4f-9f4e-3b6f1a2b3c4d'
const app = { redirectUri: 'https://app.example.com/callback', allowedOrigins: ['https://api.example.com'] }
const hosted = hostedWorlds()

const entraServer = (directory: string, issuer: string): Peculiarities => ({
  facts: {
    noRevocation:
      'Each refresh gives a new refresh token, and the old one is not revoked (entra-docs, refresh-tokens.md).',
    template: 'Discovery for common and organizations has a literal {tenantid} in the issuer (general).',
    members: 'ext_expires_in stands in answers (general).',
  },
  issuer,
  metadataAt: `https://login.microsoftonline.com/${directory}/v2.0/.well-known/openid-configuration`,
  tokenEndpoint: `https://login.microsoftonline.com/${directory}/oauth2/v2.0/token`,
  clientId,
  members: { ext_expires_in: 3600 },
  claims: { iss: issuer.replace('{tenantid}', TENANT), tid: TENANT },
})

/** Each system: the peculiarities of its double, and the options that its function returns. */
const systems: [name: string, double: Peculiarities, options: object][] = [
  [
    'Keycloak',
    {
      facts: {
        members: 'Answers have refresh_expires_in, not-before-policy and session_state (qiita, KWS_0901).',
        never: 'refresh_expires_in may be 0 or negative: never (keycloak issue 11990).',
      },
      issuer: 'https://id.example.com/realms/main',
      tokenEndpoint: 'https://id.example.com/realms/main/protocol/openid-connect/token',
      clientId,
      members: { refresh_expires_in: -1, 'not-before-policy': 0, session_state: 'a1' },
      dead: () => oauthRefusal('invalid_grant', 'Token is not active'),
    },
    keycloak({ url: 'https://id.example.com/', realm: 'main', clientId }),
  ],
  [
    'Entra, one directory',
    entraServer(TENANT, `https://login.microsoftonline.com/${TENANT}/v2.0`),
    entra({ tenant: TENANT, clientId }),
  ],
  [
    'Entra, any directory',
    entraServer('common', 'https://login.microsoftonline.com/{tenantid}/v2.0'),
    entra({ tenant: 'common', clientId }),
  ],
  [
    'Auth0',
    {
      facts: {
        status:
          'A dead refresh token: 403 invalid_grant (Auth0 support: status 400 must not be a condition).',
        slash: 'The issuer ends in a slash (general).',
        audience: 'Without audience, access tokens are not for the API (general).',
      },
      issuer: 'https://example.eu.auth0.com/',
      tokenEndpoint: 'https://example.eu.auth0.com/oauth/token',
      clientId,
      authorize(query) {
        if (query.get('audience') !== 'https://api.example.com') throw new Error('no audience')
        if (query.get('organization') !== 'org_1') throw new Error('no organization')
      },
      dead: () => oauthRefusal('invalid_grant', 'Unknown or invalid refresh token.', 403),
    },
    auth0({
      domain: 'example.eu.auth0.com',
      audience: 'https://api.example.com',
      organization: 'org_1',
      clientId,
    }),
  ],
  [
    'Okta',
    {
      facts: {
        scope: 'offline_access must be asked for at /authorize (okta-developer-docs, refresh-tokens).',
      },
      issuer: 'https://example.okta.com/oauth2/default',
      tokenEndpoint: 'https://example.okta.com/oauth2/default/v1/token',
      clientId,
      authorize(query) {
        if (!query.get('scope')?.split(' ').includes('offline_access')) throw new Error('no refresh token')
      },
      dead: () => oauthRefusal('invalid_grant', 'The refresh token is invalid or expired.'),
    },
    okta({ domain: 'https://example.okta.com', clientId }),
  ],
  [
    'Cognito',
    {
      facts: {
        keeps: 'A refresh gives no refresh token unless rotation is on (AWS, Refresh tokens).',
        hosts: 'The host of the issuer differs from the host of the endpoints (general).',
        bare: 'Errors like {"error":"invalid_grant"} have no description (general).',
      },
      issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI',
      tokenEndpoint: 'https://example.auth.eu-central-1.amazoncognito.com/oauth2/token',
      clientId,
      rotates: false,
      authorize(query) {
        if (query.get('scope')?.includes('offline_access')) throw new Error('invalid_scope')
      },
      dead: () => json({ error: 'invalid_grant' }, 400),
    },
    cognito({ userPoolId: 'eu-central-1_AbCdEfGhI', clientId }),
  ],
  [
    'Discord',
    {
      facts: {
        iss: 'authorization_response_iss_parameter_supported is true (its RFC 8414 document).',
        endpoints: 'The two documents differ: only one has revocation (both documents).',
      },
      issuer: 'https://discord.com',
      tokenEndpoint: 'https://discord.com/api/oauth2/token',
      clientId,
      callback: { iss: 'https://discord.com' },
    },
    discord({ clientId, scope: 'openid identify' }),
  ],
]

describe.each(systems)('%s', (_name, peculiarities, options) => {
  const world = () => {
    const made = hosted(clock => createIssuer(clock, peculiarities))
    return { ...made, ...made.client({ ...app, ...options }) }
  }

  test('a sign-in survives refreshes, and only accepted quirks cause warnings', async () => {
    const { client, clock, warnings, strangers } = world()
    await client.signIn()
    expect(client.session).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
    for (let hour = 0; hour < 2; hour++) {
      clock.advance(3_700_000)
      expect((await client.fetch(API)).status).toBe(200)
    }
    expect(warnings().filter(about => about !== 'quirk')).toEqual([])
    expect(strangers).toEqual([])
  })

  test('a dead refresh token ends the session as expired', async () => {
    const { client, clock, double } = world()
    await client.signIn()
    for (const grant of double.grants) grant.alive = false
    clock.advance(3_700_000)
    await expect(client.fetch(API)).rejects.toMatchObject({ code: 'ERR_AUTHORIZATION_REQUIRED' })
    expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
  })
})

test('the error for a single-page registration at Entra that is used outside a page names the reason', async () => {
  const { client } = (() => {
    const description =
      'AADSTS9002327: Tokens issued for the Single-Page Application client-type may only be redeemed via cross-origin requests.'
    const refuse = (_form: URLSearchParams, request: Request) =>
      request.headers.has('origin') ? undefined : oauthRefusal('invalid_request', description)
    const server = { ...entraServer(TENANT, `https://login.microsoftonline.com/${TENANT}/v2.0`), refuse }
    return hosted(clock => createIssuer(clock, server)).client({
      ...app,
      ...entra({ tenant: TENANT, clientId }),
    })
  })()
  await expect(client.signIn()).rejects.toMatchObject({
    cause: { errorDescription: expect.stringContaining('AADSTS9002327') },
  })
})

test('personal accounts are one directory, whose issuer contains its ID', () => {
  expect(entra({ tenant: 'consumers', clientId }).issuer).toBe(
    'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0',
  )
})

test('impossible options are rejected by name', () => {
  expect(() => entra({ tenant: 'example.com', clientId })).toThrow('"tenant" must be')
  expect(() => auth0({ domain: 'https://example.com/path', clientId })).toThrow('"domain" must be')
  expect(() => okta({ domain: '', clientId })).toThrow('"domain" must be')
  expect(() => keycloak({ url: 'id', realm: 'main', clientId })).toThrow('"url"')
  expect(() => cognito({ userPoolId: 'pool', clientId })).toThrow('"userPoolId" must be')
  expect(() => discord({ clientId, clientSecret: '' })).toThrow('"clientSecret" must be')
})

test('the org authorization server of Okta is the domain itself', () => {
  expect(okta({ domain: 'example.okta.com', authorizationServer: null, clientId }).issuer).toBe(
    'https://example.okta.com',
  )
})

test("Cognito's sign-out address contains the client and the return address", () => {
  expect(
    cognitoLogoutUrl({ domain: 'login.example.com', clientId, logoutUri: 'https://app.example.com/' }),
  ).toBe('https://login.example.com/logout?client_id=app&logout_uri=https%3A%2F%2Fapp.example.com%2F')
})

describe('Apple', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const own = { clientId: 'com.example.web', teamId: 'TEAM123456', keyId: 'KEY1234567' }
  const part = (jwt: string, index: number) =>
    JSON.parse(Buffer.from(jwt.split('.')[index] ?? '', 'base64url').toString())

  const server = (isSecret: (secret: string) => boolean): Peculiarities => ({
    facts: {
      secret: 'client_secret is an ES256 JWT made by the developer (Apple, Token validation).',
      keeps: 'A refresh answer has no refresh token (Apple, Token validation).',
      formPost: 'With the scopes name or email: response_mode=form_post only (general).',
      noLoopback: 'Redirects to localhost or IP addresses are refused (go-signin-with-apple).',
    },
    issuer: 'https://appleid.apple.com',
    tokenEndpoint: 'https://appleid.apple.com/auth/token',
    clientId: own.clientId,
    rotates: false,
    authorize(query) {
      const isPosted = /name|email/.test(query.get('scope') ?? '')
      if (isPosted !== (query.get('response_mode') === 'form_post')) throw new Error('invalid_request')
    },
    refuse: form => (isSecret(form.get('client_secret') ?? '') ? undefined : oauthRefusal('invalid_client')),
  })

  const isRight = (secret: string) => {
    const [content, signature = ''] = [secret.split('.').slice(0, 2).join('.'), secret.split('.')[2]]
    const verify = createVerify('sha256').update(content)
    const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
    const { iss, sub, aud, exp, iat } = part(secret, 1)
    const isTimely = exp > iat && exp - iat <= 15_777_000
    const isOurs = iss === own.teamId && sub === own.clientId && aud === 'https://appleid.apple.com'
    return (
      isTimely && isOurs && part(secret, 0).kid === own.keyId && verify.verify(key, signature, 'base64url')
    )
  }

  test('each token request has a secret signed with the key, and a refresh keeps the refresh token', async () => {
    const made = hosted(clock => createIssuer(clock, server(isRight)))
    const { client } = made.client({ ...app, ...apple({ ...own, privateKey, scope: 'openid email' }) })
    await client.signIn()
    made.clock.advance(3_700_000)
    expect((await client.fetch(API)).status).toBe(200)
    const secrets = made.double.forms.map(form => form.get('client_secret'))
    expect(new Set(secrets).size).toBe(2)
  })

  test.for([
    ['in the options of the client', { scope: 'openid email' }, {}],
    ['by a step-up', {}, { stepUp: { scope: 'email' } }],
  ] as const)('the response is posted if a scope that needs it was added %s', async ([, more, request]) => {
    const made = hosted(clock => createIssuer(clock, server(isRight)))
    const asked: URL[] = []
    const authorize = async (url: string) => {
      asked.push(new URL(url))
      return made.double.approve(url)
    }
    const userAgent = {
      name: 'test',
      begin: (redirectUri: string) => ({ redirectUri, authorize, close() {} }),
    }
    const { client } = made.client({ ...app, ...apple({ ...own, privateKey }), ...more, userAgent })
    await client.signIn(request)
    expect(asked[0]?.searchParams.get('response_mode')).toBe('form_post')
  })

  test('an error never repeats the secret, and an invalid key is reported without its text', async () => {
    const made = hosted(clock =>
      createIssuer(
        clock,
        server(() => false),
      ),
    )
    const { client } = made.client({ ...app, ...apple({ ...own, privateKey }) })
    const error = await client.signIn().catch(error => error)
    expect(error).toMatchObject({ error: 'invalid_client' })
    const sent = made.double.forms[0]?.get('client_secret') as string
    expect(JSON.stringify([error.message, error.cause])).not.toContain(sent)
    const wrong = made.client({ ...app, ...apple({ ...own, privateKey: 'not-a-key' }) })
    const refused = await wrong.client.signIn().catch(error => error)
    expect(refused).toMatchObject({ code: 'ERR_CONFIGURATION' })
    expect(refused.message).not.toContain('not-a-key')
  })

  test('the callback is what Apple posts to the redirect URI', () => {
    const form = new URLSearchParams({ code: 'c', state: 's', user: '{"name":{}}' })
    expect(appleCallbackUrl('https://app.example.com/callback?tenant=1', form)).toBe(
      'https://app.example.com/callback?tenant=1&code=c&state=s',
    )
  })
})
