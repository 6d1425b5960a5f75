import { describe, expect, test } from 'vitest'
import type { EventBody } from '../../../src/core/events.ts'
import { createBend, type Quirk } from '../../../src/core/quirks.ts'
import { createServer, endpointOf } from '../../../src/flow/discovery.ts'
import { createTransport } from '../../../src/flow/transport.ts'
import { handClock } from '../../support/clock.ts'

const OIDC = 'https://id.example.com/.well-known/openid-configuration'
const OAUTH = 'https://id.example.com/.well-known/oauth-authorization-server'
const metadata = {
  issuer: 'https://id.example.com',
  authorization_endpoint: 'https://id.example.com/authorize',
  token_endpoint: 'https://id.example.com/token',
}

/** A server whose documents are at these addresses; everything else is 404. */
function setUp(
  documents: Record<string, () => Response>,
  issuer = 'https://id.example.com',
  {
    given,
    quirks = [],
    strict = false,
  }: { given?: typeof metadata; quirks?: Quirk[]; strict?: boolean } = {},
) {
  const asked: string[] = []
  const told: EventBody[] = []
  const clock = handClock()
  const fetch = async (input: RequestInfo | URL) => {
    asked.push(String(input))
    return documents[String(input)]?.() ?? new Response('not here', { status: 404 })
  }
  const transport = createTransport({ fetch, clock })
  const emit = (event: EventBody) => void told.push(event)
  const bend = createBend(new Set(quirks), emit)
  const watch = async () => {}
  const server = createServer({ issuer, metadata: given, transport, clock, emit, bend, strict, watch })
  return { server, asked, told, clock }
}

describe('the metadata of a server', () => {
  test('is fetched once, however many ask', async () => {
    const { server, asked, told } = setUp({ [OIDC]: () => Response.json(metadata) })
    const all = await Promise.all([server(), server(), server()])
    expect(all[0]).toMatchObject(metadata)
    expect(await server()).toBe(all[0])
    expect(asked).toEqual([OIDC])
    expect(told.map(({ type }) => type)).toEqual(['metadata-request', 'metadata-response'])
  })

  test('is looked for where RFC 8414 says when OpenID Connect has none', async () => {
    const { server, asked } = setUp({ [OAUTH]: () => Response.json(metadata) })
    expect(await server()).toMatchObject(metadata)
    expect(asked).toEqual([OIDC, OAUTH])
  })

  test('is not asked for where it was given', async () => {
    const { server, asked } = setUp({}, metadata.issuer, { given: metadata })
    expect(await server()).toMatchObject(metadata)
    expect(asked).toEqual([])
  })

  test('that could not be had is asked for again', async () => {
    let up = false
    const { server } = setUp({ [OIDC]: () => (up ? Response.json(metadata) : Response.error()) })
    await expect(server()).rejects.toMatchObject({ code: 'ERR_NETWORK', retryable: true })
    up = true
    expect(await server()).toMatchObject(metadata)
  })

  test.each<[string, () => Response]>([
    ['of another issuer', () => Response.json({ ...metadata, issuer: 'https://evil.example' })],
    ['that is a page', () => new Response('<h1>Hello</h1>', { headers: { 'content-type': 'text/html' } })],
    ['that is empty', () => Response.json({})],
    ['that is a list', () => Response.json([])],
    [
      'that is cut off',
      () => new Response('{"issuer":', { headers: { 'content-type': 'application/json' } }),
    ],
    [
      'that redirects',
      () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }),
    ],
    ['that is refused', () => new Response('no', { status: 403 })],
  ])('%s is none: the error names the URL and what was expected', async (_what, document) => {
    const { server } = setUp({ [OIDC]: document })
    const error = await server().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_NETWORK', retryable: true })
    expect((error as Error).message).toContain('https://id.example.com')
  })

  test('is nowhere: the error names a URL that was tried', async () => {
    await expect(setUp({}).server()).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      message: expect.stringContaining('https://id.example.com/.well-known/'),
    })
  })
})

describe('an endpoint', () => {
  test('may be https, or http on loopback', () => {
    const local = { issuer: 'http://127.0.0.1:9', token_endpoint: 'http://127.0.0.1:9/token' }
    expect(endpointOf(metadata, 'token_endpoint').href).toBe(metadata.token_endpoint)
    expect(endpointOf(local, 'token_endpoint').href).toBe(local.token_endpoint)
  })

  test.each([
    undefined,
    '',
    '/token',
    'http://id.example.com/token',
    'https://u:p@id.example.com/token',
    'data:,x',
  ])('may not be %s', endpoint => {
    const server = { ...metadata, token_endpoint: endpoint }
    expect(() => endpointOf(server, 'token_endpoint')).toThrow(/token_endpoint/)
  })
})
