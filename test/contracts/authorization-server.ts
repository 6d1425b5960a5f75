import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { dpop } from '../../src/dpop.ts'
import type { Fetch } from '../../src/extending.ts'
import type { ClientEvent, ClientOptions } from '../../src/index.ts'
import { type Client, createClient, memory } from '../../src/node.ts'
import { par } from '../../src/par.ts'

/** An authorization server and an API that a client of these tests signs in to. */
export interface AuthorizationServerSubject {
  /** A public client of it, whose user agrees to everything. */
  readonly options: ClientOptions
  /** The fetch that the client sends with. */
  readonly fetch: Fetch
  /** An address of the API. */
  readonly apiUrl: string
  /** The resource server's credentials, with HTTP Basic authentication. */
  readonly credentials: { readonly clientId: string; readonly clientSecret: string }
  /** Revokes every access token early. Refresh tokens still work. */
  revokeAccessTokens(): Promise<void>
  close?(): Promise<void>
}

interface Stored {
  readonly tokens: { readonly accessToken: string; readonly refreshToken: string }
}

/** What a client experiences with every authorization server: the real one, and the one of the test kit. */
export function authorizationServerContract(
  name: string,
  start: () => Promise<AuthorizationServerSubject>,
): void {
  describe(`${name} as an authorization server`, () => {
    const clients: Client[] = []
    let subject: AuthorizationServerSubject
    let metadata: Record<string, string>
    beforeAll(async () => {
      subject = await start()
      const { issuer, fetch } = { ...subject.options, ...subject }
      metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
    })
    afterAll(() => subject?.close?.())
    afterEach(() => {
      for (const client of clients.splice(0)) client.dispose()
    })

    const app = (own: Partial<ClientOptions> = {}) => {
      const store = memory()
      const client = createClient({
        ...subject.options,
        fetch: subject.fetch,
        store,
        ...own,
      } as ClientOptions)
      const told: ClientEvent[] = []
      client.events.subscribe(event => told.push(event))
      clients.push(client)
      const stored = async () => {
        const [key = ''] = (await store.keyValue.keys('')).filter(one => one.endsWith(' session'))
        return (await store.keyValue.get(key)) as Stored
      }
      return { client, store, told, stored }
    }
    const signedIn = async (own?: Partial<ClientOptions>) => {
      const made = app(own)
      await made.client.signIn()
      return made
    }
    const post = async (endpoint: string, form: Record<string, string>, headers = {}) => {
      const url = metadata[endpoint] ?? ''
      const body = new URLSearchParams({ client_id: subject.options.clientId, ...form })
      return subject.fetch(url, { method: 'POST', body, headers })
    }
    const refresh = (refreshToken: string) =>
      post('token_endpoint', { grant_type: 'refresh_token', refresh_token: refreshToken })
    const introspect = async (token: string) => {
      const { clientId, clientSecret } = subject.credentials
      const authorization = `Basic ${btoa(`${clientId}:${clientSecret}`)}`
      const url = metadata.introspection_endpoint ?? ''
      const answer = await subject.fetch(url, {
        method: 'POST',
        body: new URLSearchParams({ token }),
        headers: { authorization },
      })
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
    }

    test('signs a user in, and its API accepts the access token', async () => {
      const { client, told } = await signedIn()
      expect(client.session).toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
      expect((await client.fetch(subject.apiUrl)).status).toBe(200)
      expect(told.map(({ type }) => type)).toContain('session-started')
    })

    test('rotates the refresh token once for twenty calls whose access token was revoked', async () => {
      const { client, told, stored } = await signedIn()
      const before = await stored()
      await subject.revokeAccessTokens()
      const calls = Array.from({ length: 20 }, () => client.fetch(subject.apiUrl))
      const statuses = (await Promise.all(calls)).map(({ status }) => status)
      expect(statuses).toEqual(Array(20).fill(200))
      const refreshes = told.filter(one => one.type === 'token-response' && one.grantType === 'refresh_token')
      expect(refreshes).toMatchObject([{ rotated: true }])
      expect((await stored()).tokens.refreshToken).not.toBe(before.tokens.refreshToken)
    })

    test('ends the whole session when a rotated refresh token is sent again', async () => {
      const { client, stored } = await signedIn()
      const { refreshToken } = (await stored()).tokens
      expect((await refresh(refreshToken)).status).toBe(200)
      const again = await refresh(refreshToken)
      expect([again.status, await again.json()]).toMatchObject([400, { error: 'invalid_grant' }])
      await subject.revokeAccessTokens()
      expect((await client.fetch(subject.apiUrl)).status).toBe(401)
      expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
    })

    test('no longer accepts the tokens of a client that has signed out', async () => {
      const { client, stored } = await signedIn()
      const { accessToken, refreshToken } = (await stored()).tokens
      expect((await introspect(accessToken)).body).toMatchObject({ active: true, sub: 'alice' })
      await client.signOut()
      expect((await refresh(refreshToken)).status).toBe(400)
      expect((await introspect(accessToken)).body).toEqual({ active: false })
    })

    test('does not introspect a token for an unauthenticated caller', async () => {
      const { stored } = await signedIn()
      const { accessToken: token } = (await stored()).tokens
      const answer = await post('introspection_endpoint', { token, client_id: 'somebody-else' })
      expect([400, 401]).toContain(answer.status)
      expect(await answer.text()).not.toContain('alice')
    })

    test("accepts a code once, and only with its request's verifier", async () => {
      let code: Record<string, string> = {}
      const fetch: Fetch = async (input, init) => {
        const request = new Request(input, init)
        const body = await request.clone().text()
        if (body.includes('grant_type=authorization_code')) {
          code = Object.fromEntries(new URLSearchParams(body))
          const wrong = await post('token_endpoint', { ...code, code_verifier: 'w'.repeat(43) })
          expect([wrong.status, await wrong.json()]).toMatchObject([400, { error: 'invalid_grant' }])
        }
        return subject.fetch(request)
      }
      const { client } = await signedIn({ fetch })
      const again = await post('token_endpoint', code)
      expect([again.status, await again.json()]).toMatchObject([400, { error: 'invalid_grant' }])
      // the second sender may be a thief, so the first one's session ends
      expect((await client.fetch(subject.apiUrl)).status).toBe(401)
      expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
    })

    test('accepts a pushed authorization request', async () => {
      const { client, told } = await signedIn({ extensions: [par()] })
      expect(client.session.status).toBe('signed-in')
      expect(told.map(({ type }) => type)).toContain('pushed-authorization-response')
    })

    test('binds tokens to a key, requires a nonce, and rotates only for that key', async () => {
      const { stored, client } = await signedIn({ extensions: [dpop()] })
      const { accessToken, refreshToken } = (await stored()).tokens
      expect((await introspect(accessToken)).body).toMatchObject({
        active: true,
        token_type: 'DPoP',
        cnf: { jkt: expect.any(String) },
      })
      const without = await refresh(refreshToken)
      expect(without.status).toBe(400)
      expect(client.session.status).toBe('signed-in')
    })

    test('publishes the key that it signs ID Tokens with', async () => {
      const keys = (await (await subject.fetch(metadata.jwks_uri ?? '')).json()) as { keys: object[] }
      expect(keys.keys[0]).toMatchObject({ kty: 'RSA', use: 'sig' })
      expect(keys.keys[0]).not.toHaveProperty('d')
    })

    test('rejects an unknown grant', async () => {
      const answer = await post('token_endpoint', { grant_type: 'password' })
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ error: expect.stringMatching(/unsupported|unauthorized/) })
    })
  })
}
