import { describe, expect, test } from 'vitest'
import { createTransport } from '../../../src/authorization/endpoint.ts'
import { createAcceptDeviation } from '../../../src/authorization/failure.ts'
import { createServer, endpointOf } from '../../../src/authorization/metadata.ts'
import type { EventBody } from '../../../src/core/events.ts'
import type { Quirk } from '../../../src/core/quirks.ts'
import { handClock } from '../../support/clock.ts'

const OIDC = 'https://id.example.com/.well-known/openid-configuration'
const OAUTH = 'https://id.example.com/.well-known/oauth-authorization-server'
const metadata = {
  issuer: 'https://id.example.com',
  authorization_endpoint: 'https://id.example.com/authorize',
  token_endpoint: 'https://id.example.com/token',
}

/** A server with documents at these addresses; all other addresses return 404. */
function setUp(
  documents: Record<string, () => Response>,
  issuer = 'https://id.example.com',
  {
    given,
    quirks = [],
    strict = false,
  }: { given?: Partial<typeof metadata> & Record<string, string>; quirks?: Quirk[]; strict?: boolean } = {},
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
  const acceptDeviation = createAcceptDeviation(new Set(quirks), (about, message) =>
    emit({ type: 'warning', about, message }),
  )
  const watch = async () => {}
  const server = createServer({
    settings: { issuer, metadata: given, strict },
    transport,
    clock,
    emit,
    acceptDeviation,
    watch,
  })
  return { server, asked, told, clock }
}

describe('the metadata of a server', () => {
  test('gets the members that the app adds, which replace its own and outlast a renewal', async () => {
    const later = {
      ...metadata,
      token_endpoint: 'https://id.example.com/new',
      jwks_uri: 'https://id.example.com/jwks',
    }
    const documents = [metadata, later]
    const added = {
      end_session_endpoint: 'https://id.example.com/logout',
      jwks_uri: 'https://id.example.com/my-keys',
    }
    const { server, asked, clock } = setUp(
      { [OIDC]: () => Response.json(documents.shift()) },
      metadata.issuer,
      { given: added },
    )
    expect(await server()).toMatchObject({ ...metadata, ...added })
    clock.advance(24 * 3_600_000)
    await server()
    await expect.poll(server).toMatchObject({ ...later, ...added })
    expect(asked).toEqual([OIDC, OIDC])
  })

  test('is fetched once for all callers', async () => {
    const { server, asked, told } = setUp({ [OIDC]: () => Response.json(metadata) })
    const all = await Promise.all([server(), server(), server()])
    expect(all[0]).toMatchObject(metadata)
    expect(await server()).toBe(all[0])
    expect(asked).toEqual([OIDC])
    expect(told.map(({ type }) => type)).toEqual(['metadata-request', 'metadata-response'])
  })

  test('is looked up at the address of RFC 8414 if the one of OpenID Connect has none', async () => {
    const { server, asked } = setUp({ [OAUTH]: () => Response.json(metadata) })
    expect(await server()).toMatchObject(metadata)
    expect(asked).toEqual([OIDC, OAUTH])
  })

  test('is not fetched if the app supplies it', async () => {
    const { server, asked } = setUp({}, metadata.issuer, { given: metadata })
    expect(await server()).toMatchObject(metadata)
    expect(asked).toEqual([])
  })

  test('is requested again after a failed fetch', async () => {
    let up = false
    const { server } = setUp({ [OIDC]: () => (up ? Response.json(metadata) : Response.error()) })
    await expect(server()).rejects.toMatchObject({ code: 'ERR_NETWORK', retryable: true })
    up = true
    expect(await server()).toMatchObject(metadata)
  })

  test.each<[string, () => Response]>([
    ['from another issuer', () => Response.json({ ...metadata, issuer: 'https://evil.example' })],
    ['that is a page', () => new Response('<h1>Hello</h1>', { headers: { 'content-type': 'text/html' } })],
    ['that is empty', () => Response.json({})],
    ['that is an array', () => Response.json([])],
    [
      'that is cut off',
      () => new Response('{"issuer":', { headers: { 'content-type': 'application/json' } }),
    ],
    [
      'that redirects',
      () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }),
    ],
    ['that is refused', () => new Response('no', { status: 403 })],
  ])('%s is rejected: the error names the URL and what was expected', async (_what, document) => {
    const { server } = setUp({ [OIDC]: document })
    const error = await server().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: expect.stringMatching(/ERR_(NETWORK|CONFIGURATION)/) })
    expect((error as Error).message).toContain('https://id.example.com')
  })

  test('that is missing or from another issuer is a configuration error, and a retry does not help [F4.1, F8.15]', async () => {
    const other = () => Response.json({ ...metadata, issuer: 'https://other.example' })
    const wrong: Record<string, () => Response>[] = [
      {},
      { [OIDC]: other },
      { [OIDC]: () => new Response('no', { status: 403 }), [OAUTH]: other },
    ]
    for (const documents of wrong) {
      await expect(setUp(documents).server()).rejects.toMatchObject({
        code: 'ERR_CONFIGURATION',
        retryable: false,
        message: expect.stringContaining('Correct "issuer"'),
      })
    }
  })
})

describe('metadata at one of two addresses', () => {
  const answers: [string, () => Response | Promise<Response>][] = [
    ['a 404 that CORS hides', () => Promise.reject(new TypeError('Failed to fetch'))],
    ['400', () => new Response('no', { status: 400 })],
    ['403', () => new Response('<h1>no</h1>', { status: 403 })],
    ['405', () => new Response(null, { status: 405 })],
    ['500', () => new Response('oops', { status: 500 })],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: '/sign-in' } })],
    ['a page', () => new Response('<h1>App</h1>', { headers: { 'content-type': 'text/html' } })],
    ['a document from another issuer', () => Response.json({ ...metadata, issuer: 'https://other.example' })],
  ]

  test.for(answers)('is found at the second if the first responds with %s [F4.4]', async ([, first]) => {
    const { server, asked } = setUp({
      [OIDC]: first as () => Response,
      [OAUTH]: () => Response.json(metadata),
    })
    expect(await server()).toMatchObject(metadata)
    expect(asked.at(-1)).toBe(OAUTH)
  })

  test.for(answers)('that returns %s twice is reported with both addresses [F4.4]', async ([, answer]) => {
    const both = answer as () => Response
    const error = await setUp({ [OIDC]: both, [OAUTH]: both })
      .server()
      .catch((thrown: unknown) => thrown)
    const { message } = error as Error
    for (const part of [OIDC, OAUTH, metadata.issuer, 'Correct "issuer", or set "server"'])
      expect(message).toContain(part)
  })

  test('is reported with each response, including the target of a redirect [F4.4]', async () => {
    const moved = () => new Response(null, { status: 301, headers: { location: `${OIDC}/?secret=1` } })
    const { server } = setUp({ [OIDC]: moved, [OAUTH]: () => new Response('no', { status: 403 }) })
    await expect(server()).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      reason: 'not_the_server',
      message:
        `No metadata of the issuer ${metadata.issuer} was found. ${OIDC} answered with a redirect to ${OIDC}/. Correct the address. ` +
        `${OAUTH} answered with the status 403. Correct "issuer", or set "server" if the server publishes no metadata.`,
    })
  })

  test('may be available later if one address may only be down: the requested pause is kept [F4.4, F8.15]', async () => {
    const down = () => new Response('', { status: 503, headers: { 'retry-after': '7' } })
    await expect(setUp({ [OIDC]: down }).server()).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      reason: 'unavailable',
      retryable: true,
      retryAfterMs: 7000,
    })
  })

  test('causes one time-out, not two, if the first address does not respond [F4.4]', async () => {
    const { server, asked, clock } = setUp({ [OIDC]: () => new Promise<Response>(() => {}) as never })
    const error = server().catch((thrown: unknown) => thrown)
    for (const times of [1, 2]) {
      await expect.poll(() => asked.length).toBe(times)
      clock.advance(8000)
    }
    expect(await error).toMatchObject({ reason: 'timeout', retryable: true })
    expect(asked).toEqual([OIDC, OIDC])
  })
})

describe('an issuer with a different spelling', () => {
  const TENANT = 'https://id.example.com/tenant'
  const at = (issuer: string) => ({
    [`${TENANT}/.well-known/openid-configuration`]: () => Response.json({ ...metadata, issuer }),
    [OIDC]: () => Response.json({ ...metadata, issuer }),
  })

  test.for([
    ['https://id.example.com', 'https://id.example.com/'],
    ['https://id.example.com', 'https://id.example.com:443'],
    ['https://id.example.com', 'https://ID.example.com'],
    [TENANT, `${TENANT}/`],
  ] as const)(
    "%s as %s counts with the document's spelling, but not with strict [DM02]",
    async ([issuer, told]) => {
      expect((await setUp(at(told), issuer).server()).issuer).toBe(told)
      await expect(setUp(at(told), issuer, { strict: true }).server()).rejects.toMatchObject({
        code: 'ERR_CONFIGURATION',
        message: expect.stringContaining(told),
      })
    },
  )

  test.for([
    ['https://id.example.com', 'https://id.example.com/other'],
    [TENANT, 'https://id.example.com/TENANT'],
    [TENANT, 'https://id.example.com'],
    [TENANT, 'https://evil.example/{tenantid}'],
  ] as const)('%s as %s is a different issuer [DM01]', async ([issuer, told]) => {
    await expect(setUp(at(told), issuer, { quirks: ['issuer_template'] }).server()).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringContaining(told),
    })
  })

  test('as a template is rejected by name, and accepted with the quirk issuer_template', async () => {
    const told = 'https://id.example.com/{tenantid}'
    await expect(setUp(at(told), TENANT).server()).rejects.toMatchObject({ quirk: 'issuer_template' })
    expect((await setUp(at(told), TENANT, { quirks: ['issuer_template'] }).server()).issuer).toBe(told)
  })

  test('with a path is looked up at the address that each of the two specifications defines, in order [DM03]', async () => {
    const { server, asked } = setUp({}, TENANT)
    await expect(server()).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
    expect(asked).toEqual([
      `${TENANT}/.well-known/openid-configuration`,
      'https://id.example.com/.well-known/oauth-authorization-server/tenant',
    ])
  })
})

describe('metadata from the day before', () => {
  test('is used while it is fetched again, once, and after that has failed [DM04, DM05]', async () => {
    let document = () => Response.json(metadata)
    const { server, asked, clock } = setUp({ [OIDC]: () => document() })
    const first = await server()
    clock.advance(24 * 3_600_000)
    document = () => Response.error()
    expect(await Promise.all([server(), server(), server()])).toEqual([first, first, first])
    await expect.poll(() => asked.length).toBe(4) // a failed GET is retried once, then the other document is fetched
    expect(await server()).toBe(first)
    document = () => Response.json({ ...metadata, token_endpoint: 'https://id.example.com/new' })
    clock.advance(300_000)
    expect(await server()).toBe(first)
    await expect.poll(server).toMatchObject({ token_endpoint: 'https://id.example.com/new' })
    expect(asked).toHaveLength(5)
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
    'https://:p@id.example.com/token',
    'https://u:p@id.example.com/token',
    'data:,x',
  ])('may not be %s', endpoint => {
    const server = { ...metadata, token_endpoint: endpoint }
    expect(() => endpointOf(server, 'token_endpoint')).toThrow(
      /^The authorization server's "token_endpoint" (is missing|must be an https URL; got (?!undefined).*)\. Correct/,
    )
  })
})
