import { describe, expect, test } from 'vitest'
import type { Fetch } from '../../src/core/ports.ts'
import { signingKey } from '../support/signing-key.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const metadataAsked = ({ as }: World) =>
  as.requests.filter(request => request === 'GET /.well-known/openid-configuration').length

/** A server whose endpoints have moved. Something else responds at the old addresses. */
function moving(gone: () => Response) {
  const here = world()
  const asked: string[] = []
  let hasMoved = false
  const fetch: Fetch = async (input, init) => {
    const request = new Request(input, init)
    const { pathname, search } = new URL(request.url)
    asked.push(pathname)
    const known = pathname.match(/^(\/new)?(\/(?:token|jwks|revoke))$/)
    if (!known || request.url.startsWith(API)) return here.fetch(request)
    if (hasMoved !== (known[1] !== undefined)) return gone()
    return here.fetch(new Request(`${here.as.issuer}${known[2]}${search}`, request))
  }
  const move = (...names: string[]) => {
    hasMoved = true
    for (const name of names) {
      const old = here.as.metadata[name] as string
      here.as.metadata[name] = old.replace(here.as.issuer, `${here.as.issuer}/new`)
    }
  }
  return { here, fetch, asked, move }
}
const ALL = ['token_endpoint', 'jwks_uri', 'revocation_endpoint']

const answers: [string, () => Response][] = [
  ['404', () => new Response('<h1>Not here</h1>', { status: 404 })],
  ['405', () => new Response(null, { status: 405 })],
  ['410', () => Response.json({ error: 'Gone' }, { status: 410 })],
  ['a redirect', () => new Response(null, { status: 308, headers: { location: '/new/token' } })],
  ['the page of another site', () => new Response('<h1>For sale</h1>')],
]

describe('a token endpoint that moves', () => {
  test.for(answers)(
    'and leaves %s behind is found by an open page: its session continues, and no call fails [F9.2]',
    async ([, gone]) => {
      const { here, fetch, asked, move } = moving(gone)
      const client = await here.signedIn({ fetch })
      move(...ALL)
      here.expire()
      expect((await client.fetch(`${API}/me`)).status).toBe(200)
      expect(asked.filter(path => path.endsWith('/token'))).toEqual(['/token', '/token', '/new/token'])
      expect(metadataAsked(here)).toBe(2)
      expect(here.as.reuses).toBe(0)
    },
  )

  test('and cannot be found is looked up once in five minutes, and the session is kept [F9.2]', async () => {
    const { here, fetch, move } = moving(() => new Response(null, { status: 404 }))
    const client = await here.signedIn({ fetch })
    move()
    here.expire()
    const call = () => client.getAccessToken().catch((error: unknown) => error)
    for (let time = 0; time < 5; time++) {
      expect(await call()).toMatchObject({ code: 'ERR_NETWORK', reason: 'not_the_server' })
      here.clock.advance(59_000)
    }
    expect(metadataAsked(here)).toBe(2)
    here.clock.advance(10_000)
    await call()
    expect(metadataAsked(here)).toBe(3)
    expect(client.session.status).toBe('signed-in')
  })

  test('never gets the code of a sign-in again: the next sign-in finds it [F9.1, F9.2]', async () => {
    const { here, fetch, asked, move } = moving(() => new Response(null, { status: 404 }))
    const client = await here.signedIn({ fetch })
    move(...ALL)
    await expect(client.signIn()).rejects.toMatchObject({ reason: 'not_the_server' })
    expect(asked.filter(path => path.endsWith('/token'))).toEqual(['/token', '/token'])
    await client.signIn()
    expect(asked.filter(path => path.endsWith('/token')).at(-1)).toBe('/new/token')
  })

  test('is not looked up if the app supplied the metadata [F9.2]', async () => {
    const { here, fetch, move } = moving(() => new Response(null, { status: 404 }))
    const server = { ...here.as.metadata, issuer: here.as.issuer } as never
    const client = await here.signedIn({ fetch, server, issuer: undefined } as never)
    move()
    here.expire()
    await expect(client.getAccessToken()).rejects.toMatchObject({ reason: 'not_the_server' })
    expect(metadataAsked(here)).toBe(0)
  })
})

describe('keys that move', () => {
  test.for(answers)('and leave %s behind are found at a sign-in [F9.2]', async ([, gone]) => {
    const { here, fetch, asked, move } = moving(gone)
    const client = await here.signedIn({ fetch })
    here.clock.advance(3_600_000) // keys are cached for an hour
    move(...ALL)
    here.as.metadata.token_endpoint = `${here.as.issuer}/new/token`
    await client.signIn().catch(() => {}) // the code went to the old endpoint
    await client.signIn()
    expect(client.session.status).toBe('signed-in')
    expect(asked).toContain('/new/jwks')
  })

  test('and leave old keys behind are found when a key is missing there [F9.2]', async () => {
    const here = world()
    const old = here.as.key
    const asked: string[] = []
    const fetch: Fetch = async (input, init) => {
      const { pathname } = new URL(new Request(input, init).url)
      asked.push(pathname)
      if (pathname === '/jwks') return Response.json(await old.jwks())
      return pathname === '/new/jwks' ? Response.json(await here.as.key.jwks()) : here.fetch(input, init)
    }
    const client = await here.signedIn({ fetch })
    here.as.key = signingKey('key-of-today')
    here.as.metadata.jwks_uri = `${here.as.issuer}/new/jwks`
    await client.signIn()
    expect(asked.filter(path => path.endsWith('jwks'))).toEqual(['/jwks', '/jwks', '/new/jwks'])
    expect(metadataAsked(here)).toBe(2)
  })
})
