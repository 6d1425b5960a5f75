import { describe, expect, test } from 'vitest'
import { beginAuthorization } from '../../../src/authorization/authorization-request.ts'
import { joinExtensions } from '../../../src/authorization/extensions.ts'
import { createTransactions, type Transaction } from '../../../src/authorization/transaction.ts'
import { parseCallback } from '../../../src/core/callback.ts'
import type { Resource } from '../../../src/core/destination.ts'
import { sha256 } from '../../../src/platform/digest.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { handClock } from '../../support/clock.ts'

const metadata = {
  issuer: 'https://id.example.com',
  authorization_endpoint: 'https://id.example.com/authorize',
  token_endpoint: 'https://id.example.com/token',
}
const redirectUri = 'https://app.example.com/callback'
const choice = {
  userAgent: 'redirect',
  scope: 'openid read',
  returnTo: undefined,
  parameters: {},
}

const extensions = joinExtensions([])

async function begin(
  change: Partial<typeof choice> & { parameters?: Record<string, string> } = {},
  server: object = {},
  resources: readonly Resource[] = [],
) {
  const place = memoryKeyValue()
  const clock = handClock()
  const transactions = createTransactions(place, 't ', clock)
  const as = { ...metadata, ...server }
  const request = await beginAuthorization(
    {
      server: async () => as,
      settings: {
        issuer: metadata.issuer,
        metadata: undefined,
        clientId: 'app',
        clientAuthentication: undefined,
        redirectUri,
        postLogoutRedirectUri: undefined,
        scope: '',
        authorizationParameters: {},
        logoutParameters: {},
        responseParameters: [],
        resources,
        leewaySeconds: 60,
        strict: false,
        quirks: new Set<never>(),
        plainHttp: new Set<never>(),
        warnings: [],
      },
      keyValue: place,
      warn() {},
      warnings: () => [],
      origin: undefined,
      extensions,
      transactions,
      records: { current: undefined, inStore: undefined, read: async () => undefined },
      clock,
      owner: 'app',
      hash: sha256,
    },
    { ...choice, ...change },
    redirectUri,
  )
  const url = new URL(request.url)
  const saved = (await transactions.find(request.state)) as Transaction
  return { ...request, url, query: Object.fromEntries(url.searchParams), saved, place }
}

describe('an authorization request', () => {
  test('has the parameters of RFC 6749 section 4.1.1 and RFC 7636 section 4.3', async () => {
    const { url, query, state, saved } = await begin()
    expect(url.origin + url.pathname).toBe(metadata.authorization_endpoint)
    expect(query).toEqual({
      client_id: 'app',
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: 'openid read',
      state,
      nonce: saved.nonce,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    })
  })

  test('has the challenge of the stored verifier, but not the verifier [AR01, AR02]', async () => {
    const { url, query, saved } = await begin()
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(saved.codeVerifier))
    expect(query.code_challenge).toBe(Buffer.from(digest).toString('base64url'))
    expect(url.href).not.toContain(saved.codeVerifier)
    expect(saved.codeVerifier).toMatch(/^[A-Za-z0-9._~-]{43,128}$/)
  })

  test('has a recognizable state that reveals nothing about the user, the device or the time [F9.6]', async () => {
    const { state } = await begin()
    expect(parseCallback(`${redirectUri}?code=a&state=${state}`)).toMatchObject({ state })
    expect(state).toMatch(/^lk\.[\w-]{43}\.[\da-f]{8}$/)
  })

  test('saves max_age if it is a number and an ID Token will be returned [F2.8]', async () => {
    const maxAge = async (max_age: string, more = {}) =>
      (await begin({ parameters: { max_age }, ...more })).saved.maxAge
    expect(await maxAge('0')).toBe(0)
    expect(await maxAge('3600')).toBe(3600)
    for (const other of ['', '-1', '1e3', 'soon']) expect(await maxAge(other)).toBeUndefined()
    expect(await maxAge('60', { scope: 'read' })).toBeUndefined()
  })

  test('is different each time [AR01, AR06]', async () => {
    const [one, other] = [await begin(), await begin()]
    expect(one.saved.codeVerifier).not.toBe(other.saved.codeVerifier)
    expect(one.saved.nonce).toBe(one.query.nonce)
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(one.query[name]).not.toBe(other.query[name])
  })

  test('has no nonce if it requests no ID Token, and no scope if there is none', async () => {
    const plain = await begin({ scope: 'read' })
    expect(plain.query).not.toHaveProperty('nonce')
    expect(plain.saved.nonce).toBeUndefined()
    expect((await begin({ scope: '' })).query).not.toHaveProperty('scope')
  })

  test('has the extra parameters, which never override its own [AR13]', async () => {
    const { query } = await begin({
      parameters: { prompt: 'login', state: 'mine', code_challenge_method: 'plain' },
    })
    expect(query).toMatchObject({ prompt: 'login', code_challenge_method: 'S256' })
    expect(query.state).not.toBe('mine')
  })

  test("keeps the endpoint's query, repeats nothing and drops the fragment [AR07]", async () => {
    const { url, query } = await begin(
      { parameters: { prompt: 'login' } },
      { authorization_endpoint: 'https://id.example.com/authorize?tenant=1&client_id=x&prompt=none#x' },
    )
    expect(query).toMatchObject({ tenant: '1', client_id: 'app', prompt: 'login' })
    expect([...url.searchParams.keys()].sort()).toEqual(Object.keys(query).sort())
    expect(url.hash).toBe('')
  })

  test.each<[string, object]>([
    ['authorization_endpoint', { authorization_endpoint: undefined }],
    ['authorization_endpoint', { authorization_endpoint: 'http://id.example.com/authorize' }],
    ['authorization_endpoint', { authorization_endpoint: 'javascript:alert(1)' }],
    ['authorization_endpoint', { authorization_endpoint: 'data:text/html,x' }],
    ['authorization_endpoint', { authorization_endpoint: 'https://u:p@id.example.com/authorize' }],
    ['token_endpoint', { token_endpoint: undefined }],
    ['token_endpoint', { token_endpoint: 'http://id.example.com/token' }],
    ['token_endpoint', { token_endpoint: 'https://user@id.example.com/token' }],
    ['PKCE', { code_challenge_methods_supported: ['plain'] }],
    ['PKCE', { code_challenge_methods_supported: [] }],
  ])("is not created if the server's %s is unusable, and nothing is saved [AR08]", async (what, server) => {
    await expect(begin({}, server)).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringContaining(what),
    })
  })
})

test('an authorization request names each API that has a resource indicator once (RFC 8707 section 2.1)', async () => {
  const indicators = ['https://a.example.com/', 'urn:b', 'urn:b']
  const { url } = await begin({}, {}, [
    ...indicators.map((resource, at) => ({ url: `https://api${at}.example.com`, parameters: { resource } })),
    { url: 'https://c.example.com', parameters: { audience: 'c' } },
  ])
  expect(url.searchParams.getAll('resource')).toEqual(['https://a.example.com/', 'urn:b'])
})
