import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  mtls,
  privateKeyJwt,
} from '../../src/extensions/client-authentication.ts'
import { par } from '../../src/extensions/par.ts'
import { createClient as createBrowserClient } from '../../src/index.ts'
import { createClient as createNodeClient, memory } from '../../src/node.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
/** Characters that form-encoding, base64 and percent signs tend to damage. */
const SECRET = 'a:b+c%d e/ü=&"'
const CLIENT_ID = 'app:1+ü'
const PAR = { pushed_authorization_request_endpoint: 'https://id.example.com/par' }

/** Decoded the way a server does (RFC 6749 section 2.3.1). */
function readBasic(headers: Headers): string[] {
  const [, base64 = ''] = /^Basic (.+)$/.exec(headers.get('authorization') ?? '') ?? []
  return atob(base64)
    .split(':')
    .map(part => new URLSearchParams(`x=${part}`).get('x') ?? '')
}

const isSecret = (form: URLSearchParams) =>
  form.get('client_secret') === SECRET && form.get('client_id') === CLIENT_ID

interface Assertion {
  readonly header: Record<string, unknown>
  readonly payload: Record<string, unknown>
}
const partOf = (jwt: string, index: number) =>
  JSON.parse(Buffer.from(jwt.split('.')[index] ?? '', 'base64url').toString())

/** Reads the received assertions and checks whether the key signed them. */
function assertions(algorithm: Parameters<SubtleCrypto['verify']>[0], key: CryptoKey) {
  const read: Assertion[] = []
  const isClient = async (form: URLSearchParams) => {
    const jwt = form.get('client_assertion') ?? ''
    const [header, payload, signature] = jwt.split('.')
    read.push({ header: partOf(jwt, 0), payload: partOf(jwt, 1) })
    return (
      form.get('client_assertion_type') === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' &&
      crypto.subtle.verify(
        algorithm,
        key,
        Buffer.from(signature ?? '', 'base64url'),
        Buffer.from(`${header}.${payload}`),
      )
    )
  }
  return { read, isClient }
}

const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const keyPair = () => crypto.subtle.generateKey(ES256, false, ['sign', 'verify'])

describe('client credentials', () => {
  test('are sent to the PAR, token and revocation endpoints, each part form-encoded before base64 [TR05]', async () => {
    const seen: string[][] = []
    const here = world({
      clientId: CLIENT_ID,
      isClient: (form, headers) => {
        seen.push(readBasic(headers))
        return !form.has('client_secret')
      },
    })
    Object.assign(here.as.metadata, PAR)
    const client = await here.signedIn({
      clientAuthentication: clientSecretBasic(SECRET),
      extensions: [par()],
    })
    here.expire()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    await client.signOut()
    expect(here.as.requests.filter(request => request.startsWith('POST'))).toEqual([
      'POST /par',
      'POST /token',
      'POST /token',
      'POST /revoke',
      'POST /revoke',
    ])
    expect(seen).toEqual(Array.from({ length: 5 }, () => [CLIENT_ID, SECRET]))
  })

  test('are sent in the form if the client is registered for that', async () => {
    const here = world({ clientId: CLIENT_ID, isClient: isSecret })
    const client = await here.signedIn({ clientAuthentication: clientSecretPost(SECRET) })
    here.expire()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
  })

  test("are an assertion for this server that is unique, valid for a minute, and uses the server's clock [GR10]", async () => {
    const { privateKey, publicKey } = await keyPair()
    const { read, isClient } = assertions(ES256, publicKey)
    const here = world({ isClient })
    const ahead = 3 * 3600 // the device uses the server's clock, which the first response tells
    const now = Math.floor(here.clock.now() / 1000) + ahead
    here.as.idTokenClaims = { iat: now, exp: now + 3600 }
    const dated = async (...[input, init]: Parameters<typeof fetch>) => {
      const answer = await here.fetch(input, init)
      const headers = new Headers(answer.headers)
      headers.set('date', new Date(here.clock.now() + ahead * 1000).toUTCString())
      return new Response(answer.body, { status: answer.status, headers })
    }
    const client = await here.signedIn({
      fetch: dated,
      clientAuthentication: privateKeyJwt(privateKey, { kid: 'k1' }),
    })
    here.expire()
    await client.fetch(`${API}/me`)
    expect(read).toHaveLength(2)
    expect(read[0]?.header).toEqual({ alg: 'ES256', kid: 'k1' })
    expect(new Set(read.map(({ payload }) => payload.jti)).size).toBe(2)
    for (const { payload } of read) {
      expect(payload).toMatchObject({ aud: here.as.issuer, iss: 'app', sub: 'app' })
      expect(Number(payload.exp) - Number(payload.iat)).toBe(60)
    }
    expect(Math.abs(Number(read[1]?.payload.iat) - here.clock.now() / 1000 - ahead)).toBeLessThan(5)
  })

  test('are an assertion signed with the secret, and the secret itself is never sent', async () => {
    const raw = new TextEncoder().encode(SECRET)
    const hmac = { name: 'HMAC', hash: 'SHA-256' }
    const key = await crypto.subtle.importKey('raw', raw, hmac, false, ['verify'])
    const { read, isClient } = assertions(hmac, key)
    const client = await world({ isClient }).signedIn({ clientAuthentication: clientSecretJwt(SECRET) })
    expect(client.session.status).toBe('signed-in')
    expect(read[0]?.header).toEqual({ alg: 'HS256' })
  })

  test('appear in no error, event, report or log, even if the server echoes them', async () => {
    const { privateKey } = await keyPair()
    const sent: string[] = [SECRET, encodeURIComponent(SECRET)]
    const isClient = (form: URLSearchParams, headers: Headers) => {
      sent.push(form.get('client_assertion') ?? '', headers.get('authorization')?.slice(6) ?? '')
      return false
    }
    for (const clientAuthentication of [
      clientSecretPost(SECRET),
      clientSecretBasic(SECRET),
      clientSecretJwt(SECRET),
      privateKeyJwt(privateKey),
    ]) {
      const client = world({ isClient }).client({ clientAuthentication })
      const error = await client.signIn().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error).toMatchObject({ code: 'ERR_CALLBACK', error: 'invalid_client' })
      const shown = [error, client, client.told, client.explain(), clientAuthentication]
        .flatMap(value => [inspect(value, { depth: 12, showHidden: true }), JSON.stringify(value)])
        .join('\n')
      expect(sent.filter(secret => secret && shown.includes(secret))).toEqual([])
      expect(shown).toContain('…')
    }
  })

  test.each([
    ['an empty secret', () => clientSecretPost('')],
    ['a missing secret', () => clientSecretBasic(undefined as never)],
    ['an invalid key', () => privateKeyJwt({} as CryptoKey)],
  ])('are rejected at creation: %s', (_, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_CONFIGURATION' }))
  })

  test('cannot be a public key', async () => {
    const { publicKey } = await keyPair()
    expect(() => privateKeyJwt(publicKey)).toThrow(expect.objectContaining({ code: 'ERR_CONFIGURATION' }))
  })
})

describe('mutual TLS', () => {
  test("uses the mTLS endpoint aliases of the server, through the app's fetch [DP14]", async () => {
    const here = world()
    const MTLS = 'https://mtls.id.example.com'
    Object.assign(here.as.metadata, PAR, {
      mtls_endpoint_aliases: {
        token_endpoint: `${MTLS}/token`,
        pushed_authorization_request_endpoint: `${MTLS}/par`,
      },
    })
    const urls: string[] = []
    const client = await here.signedIn({
      clientAuthentication: mtls(),
      extensions: [par()],
      fetch: (input, init) => {
        urls.push(String(input))
        return here.fetch(String(input).replace(MTLS, here.as.issuer), init)
      },
    })
    here.expire()
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    await client.signOut()
    const posted = urls.filter(url => /token|par|revoke/.test(url))
    expect(posted).toEqual([
      `${MTLS}/par`,
      `${MTLS}/token`,
      `${MTLS}/token`,
      `${here.as.issuer}/revoke`, // has no alias
      `${here.as.issuer}/revoke`,
    ])
  })

  test('rejects an endpoint alias that is not https', async () => {
    const here = world()
    Object.assign(here.as.metadata, {
      mtls_endpoint_aliases: { token_endpoint: 'http://id.example.com/token' },
    })
    await expect(here.client({ clientAuthentication: mtls() }).signIn()).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringContaining('token_endpoint'),
    })
    await here.signedIn() // a client without mutual TLS ignores the alias
  })
})

describe('a client secret in an app that anyone can read', () => {
  const options = {
    issuer: 'https://id.example.com',
    clientId: 'app',
    redirectUri: 'https://app.example.com/callback',
    allowedOrigins: [API],
    store: memory(),
    clientAuthentication: clientSecretPost(SECRET),
  }

  test('causes a warning that reaches a listener added right after creation [TR06]', async () => {
    const client = createBrowserClient(options)
    const warning = new Promise(resolve => client.events.subscribe(resolve))
    expect(await warning).toMatchObject({ type: 'warning', about: 'client_secret' })
    expect(JSON.stringify(await warning)).not.toContain('a:b')
    client.dispose()
  })

  test('throws an error with strict [TR06]', () => {
    expect(() => createBrowserClient({ ...options, strict: true })).toThrow(
      expect.objectContaining({
        code: 'ERR_CONFIGURATION',
        message: expect.stringContaining('public client'),
      }),
    )
  })

  test('causes no warning in Node, and a private key causes none anywhere', async () => {
    const { privateKey } = await keyPair()
    const clients = [
      createNodeClient({ ...options, strict: true }),
      createBrowserClient({ ...options, strict: true, clientAuthentication: privateKeyJwt(privateKey) }),
    ]
    await Promise.resolve()
    for (const client of clients) {
      expect(client.explain().events).toEqual([])
      client.dispose()
    }
  })
})
