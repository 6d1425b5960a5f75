import type { ClientMetadata } from 'oidc-provider'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from '../../examples/demo/servers/authorization-server.ts'
import { demoCli } from '../../examples/demo/servers/demo-clients.ts'
import { userInfo } from '../../src/actions/userinfo.ts'
import type { UserAgent } from '../../src/core/ports.ts'
import { dpop } from '../../src/dpop.ts'
import {
  clientSecretBasic,
  clientSecretPost,
  privateKeyJwt,
} from '../../src/extensions/client-authentication.ts'
import { par } from '../../src/extensions/par.ts'
import { authorizationDetails, grantedAuthorizationDetails } from '../../src/extensions/rar.ts'
import { createClient, loopback, memory, type NodeClientOptions } from '../../src/node.ts'

const SECRET = 'p@ss: w+rd%/&=" a bit longer than thirty-two bytes'
const NOTES = 'https://notes.example.com/'
const PAYMENT = { type: 'payment_initiation', amount: { currency: 'EUR', value: '3.50' } }
const { privateKey, publicKey } = await crypto.subtle.generateKey(
  { name: 'ECDSA', namedCurve: 'P-256' },
  false,
  ['sign', 'verify'],
)
const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)

const confidential = (client_id: string, more: Partial<ClientMetadata>): ClientMetadata => ({
  ...demoCli,
  client_id,
  client_secret: SECRET,
  ...more,
})

let server: AuthorizationServer
/** The requests that the provider received, by path. */
const asked: string[] = []

beforeAll(async () => {
  server = await startAuthorizationServer({
    resources: ['urn:notes'],
    accessTokenSeconds: 3600,
    clients: [
      confidential('basic', {
        token_endpoint_auth_method: 'client_secret_basic',
        authorization_details_types: ['payment_initiation'],
      }),
      confidential('post', { token_endpoint_auth_method: 'client_secret_post' }),
      confidential('jwt', {
        client_secret: undefined,
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        jwks: { keys: [{ kty: kty as string, crv, x, y, kid: 'own-1', alg: 'ES256', use: 'sig' }] },
      }),
      confidential('signed', {
        token_endpoint_auth_method: 'client_secret_basic',
        userinfo_signed_response_alg: 'RS256',
      }),
    ],
    before(request) {
      asked.push(new URL(request.url ?? '', 'http://127.0.0.1').pathname)
      return false
    },
    configure: configuration => ({
      ...configuration,
      features: {
        ...configuration.features,
        pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
        jwtUserinfo: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: async () => ({
            scope: 'notes:read',
            audience: 'urn:notes',
            accessTokenTTL: 3600,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'RS256' } },
          }),
          useGrantedResource: async () => false,
        },
        richAuthorizationRequests: {
          enabled: true,
          types: { payment_initiation: { validate: async () => {} } },
          authorizationDetailsForGrantSource: async ctx =>
            JSON.parse(String(ctx.oidc.params?.authorization_details ?? 'null')) ?? undefined,
          // the user selected the account
          authorizationDetailsForAccessToken: async (_ctx, _token, source) =>
            (source as { rar?: object[] } | undefined)?.rar?.map(detail => ({
              ...detail,
              account: 'DE1',
            })) as never,
          authorizationDetailsForIntrospection: async () => undefined,
        },
      },
    }),
  })
})
afterAll(() => server?.close())

/** Types a name whenever the provider asks for one. After a pushed request, only this code knows the callback's address. */
const userAgent: UserAgent = {
  name: 'loopback',
  begin(wanted) {
    let redirectUri = ''
    const open = (url: string) => createScriptedUserAgent({ userName: 'alice', redirectUri })(url)
    const attempt = loopback({ open }).begin(wanted)
    const known = Promise.resolve(attempt.redirectUri).then(uri => {
      redirectUri = uri
      return uri
    })
    return { ...attempt, redirectUri: known }
  },
}

function app(own: Partial<NodeClientOptions>) {
  const client = createClient({
    issuer: server.issuer,
    scope: 'openid profile offline_access notes:read',
    allowedOrigins: [],
    store: memory(),
    userAgent,
    extensions: [par()],
    ...own,
  } as NodeClientOptions)
  const seen = Object.assign(client, { warnings: [] as string[] })
  client.events.subscribe(event => event.type === 'warning' && seen.warnings.push(event.about))
  return seen
}

describe.each([
  ['basic', () => clientSecretBasic(SECRET)],
  ['post', () => clientSecretPost(SECRET)],
  ['jwt', () => privateKeyJwt(privateKey, { kid: 'own-1' })],
])('a confidential client (%s) at oidc-provider', (clientId, means) => {
  test('pushes its request, signs in, refreshes, reads UserInfo and revokes its tokens [TR05]', async () => {
    asked.splice(0)
    const client = app({ clientId, clientAuthentication: means() })
    await client.signIn()
    const first = await client.getAccessToken()
    await server.revokeAccessToken(first)
    expect(await userInfo(client)).toMatchObject({ sub: expect.any(String), name: expect.any(String) })
    const second = await client.getAccessToken()
    expect(second).not.toBe(first)
    await client.signOut()
    expect(await server.provider.AccessToken.find(second)).toBeUndefined()
    const posted = asked.filter(path => /^\/(request|token|me)/.test(path))
    expect(posted).toEqual([
      '/request',
      '/token',
      '/me',
      '/token',
      '/me',
      '/token/revocation',
      '/token/revocation',
    ])
    client.dispose()
  })
})

test('a wrong secret is rejected before the user sees a page, and the error does not contain it', async () => {
  const client = app({
    clientId: 'basic',
    clientAuthentication: clientSecretBasic('wrong secret of this app'),
  })
  const error = await client.signIn().catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'ERR_SERVER', error: 'invalid_client', status: 401 })
  expect(JSON.stringify(error)).not.toContain('wrong secret')
  client.dispose()
})

test('latchkey does not send a plain request when the provider accepts only pushed ones [PX03]', async () => {
  const client = app({
    clientId: 'basic',
    clientAuthentication: clientSecretBasic(SECRET),
    extensions: [],
  })
  asked.splice(0)
  await expect(client.signIn()).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
  expect(asked).not.toContain('/auth')
  client.dispose()
})

test('authorization details that oidc-provider enriches cause one warning [PX06]', async () => {
  const client = app({
    clientId: 'basic',
    clientAuthentication: clientSecretBasic(SECRET),
    extensions: [par(), authorizationDetails([PAYMENT])],
    resources: { [NOTES]: { resource: 'urn:notes' } }, // without one, this provider rejects them
  })
  await client.signIn()
  expect(await grantedAuthorizationDetails(client)).toEqual([{ ...PAYMENT, account: 'DE1' }])
  await server.revokeAccessToken(await client.getAccessToken())
  await userInfo(client) // which refreshes
  expect(client.warnings.filter(about => about !== 'offline_access')).toEqual(['authorization_details'])
  await client.signOut()
  client.dispose()
})

test('authorization details that oidc-provider does not know are rejected before a page opens [PX07]', async () => {
  const text = JSON.stringify([{ type: 'unknown' }])
  const client = app({ clientId: 'basic', clientAuthentication: clientSecretBasic(SECRET) })
  asked.splice(0)
  await expect(
    client.signIn({ authorizationParameters: { authorization_details: text } }),
  ).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'invalid_authorization_details' })
  expect(asked).not.toContain('/auth')
  client.dispose()
})

test('a pushed resource indicator yields JWT access tokens for the API and an opaque one for UserInfo', async () => {
  const sent: string[] = []
  const client = app({
    clientId: 'jwt',
    clientAuthentication: privateKeyJwt(privateKey, { kid: 'own-1' }),
    resources: { [NOTES]: { resource: 'urn:notes' } },
    fetch: async (input, init) => {
      const request = new Request(input, init)
      if (!request.url.startsWith(NOTES)) return fetch(request)
      sent.push(request.headers.get('authorization') ?? '')
      return new Response(null, { status: 204 })
    },
  })
  await client.signIn()
  expect((await client.fetch(`${NOTES}all`)).status).toBe(204)
  const payload = JSON.parse(Buffer.from(sent[0]?.split('.')[1] ?? '', 'base64url').toString())
  expect(payload).toMatchObject({ aud: 'urn:notes', client_id: 'jwt', scope: 'notes:read' })
  expect(await userInfo(client)).toMatchObject({ sub: payload.sub })
  await client.signOut()
  client.dispose()
})

test('a pushed request binds the code to the DPoP key, and the UserInfo request carries a proof [DP10]', async () => {
  const pushed: URLSearchParams[] = []
  const proofs: (string | null)[] = []
  const client = app({
    clientId: 'post',
    clientAuthentication: clientSecretPost(SECRET),
    extensions: [dpop(), par()],
    fetch: async (input, init) => {
      const { pathname } = new URL(String(input))
      if (pathname === '/request') pushed.push(new URLSearchParams(String(init?.body)))
      if (pathname === '/me') proofs.push(new Headers(init?.headers).get('dpop'))
      return fetch(input, init)
    },
  })
  await client.signIn()
  const accessToken = await server.provider.AccessToken.find(await client.getAccessToken())
  const { jkt } = accessToken as unknown as { jkt: string }
  expect(pushed.map(form => form.get('dpop_jkt'))).toEqual([jkt])
  expect(await userInfo(client)).toMatchObject({ name: expect.any(String) })
  const [proof] = proofs
  const claims = JSON.parse(Buffer.from(proof?.split('.')[1] ?? '', 'base64url').toString())
  expect(claims).toMatchObject({ htm: 'GET', htu: `${server.issuer}/me`, ath: expect.any(String) })
  await client.signOut()
  client.dispose()
})

test('signed UserInfo from oidc-provider is read after its signature is verified [UI03]', async () => {
  const client = app({ clientId: 'signed', clientAuthentication: clientSecretBasic(SECRET) })
  await client.signIn()
  expect(await userInfo(client, { signedResponseAlg: 'RS256' })).toMatchObject({
    iss: server.issuer,
    aud: 'signed',
    name: expect.any(String),
  })
  await client.signOut()
  client.dispose()
})
