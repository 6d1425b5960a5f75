import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import type { Quirk } from '../../src/core/quirks.ts'
import { leaving, pageAt } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { tempFolders } from '../support/temp-folder.ts'
import { startTool } from '../support/tool-with-opener.ts'
import { type TestClient, type World, worlds } from '../support/world.ts'

const world = worlds()
const folderOf = tempFolders()

const log = () => {
  const lines: string[] = []
  return { lines, warn: (message: string) => void lines.push(message) }
}
const warningsOf = (client: TestClient, topic: string) =>
  client.told.flatMap(event => (event.type === 'warning' && event.about === topic ? event.message : []))

describe('a warning', () => {
  test.for([
    [
      'on the console if the app sets no logger',
      'console',
      /^latchkey: "clientAuthentication" .* \(warning "client_secret"\)$/m,
    ],
    ['nowhere with `logger: false`', 'none', /^$/],
  ] as const)('is written %s [F4.3]', async ([, logger, written]) => {
    const folder = folderOf()
    const { said, ended } = startTool({
      folder,
      script: 'warn',
      args: [logger],
      env: {},
      notes: undefined,
    })
    await ended
    expect(said.err).toMatch(written)
    expect(said.err).not.toContain('not-so-secret')
  })

  test("goes to the app's logger, once per topic, and is still emitted as an event [F4.3]", async () => {
    const here = world()
    const logger = log()
    const client = await here.signedIn({ logger, fetch: refusing(here) })
    for (const name of ['one', 'other', 'one']) await client.fetch(`https://${name}.example/`)
    // the code that judges a 401 may still have to load: nobody waits for its warning
    await vi.waitFor(() => expect(warningsOf(client, 'origin_not_allowed')).toHaveLength(2))
    expect(logger.lines).toHaveLength(1)
    expect(logger.lines[0]).toMatch(/^latchkey: https:\/\/one\.example .* \(warning "origin_not_allowed"\)$/)
  })

  test('from a page that leaves for a sign-in is repeated by the page that gets the response [F4.3]', async () => {
    const here = world()
    here.as.metadata.code_challenge_methods_supported = ['plain']
    const quirks = ['pkce_not_announced'] satisfies Quirk[]
    const away = leaving(here.as)
    await here.client({ userAgent: away.userAgent, quirks }).signIn()
    const logger = log()
    const page = pageAt(away.callbacks[0] as string)
    const client = here.client({ page, quirks, logger })
    await client.start()
    expect(logger.lines).toEqual([expect.stringContaining('(pkce_not_announced)')])
    expect(warningsOf(client, 'quirk')).toHaveLength(1)
  })

  test('from a page that leaves for a sign-out is repeated, once, by the page that the user comes back to [F4.3]', async () => {
    const here = world()
    Object.assign(here.as.metadata, { end_session_endpoint: `${here.as.issuer}/logout` })
    here.as.idTokenClaims = { long: 'x'.repeat(3000) }
    const postLogoutRedirectUri = 'https://app.example.com/'
    const left: URL[] = []
    const page = pageAt(postLogoutRedirectUri)
    const leave = async (url: string) => void left.push(new URL(url))
    await (await here.signedIn({ page: { ...page, leave }, postLogoutRedirectUri })).signOut()
    const state = left[0]?.searchParams.get('state')
    const toldAtReturn = async () => {
      const logger = log()
      const client = here.client({ page: pageAt(`${postLogoutRedirectUri}?state=${state}`), logger })
      await client.start()
      return logger.lines
    }
    expect(await toldAtReturn()).toEqual([expect.stringContaining('(warning "id_token_hint")')])
    expect(await toldAtReturn()).toEqual([])
  })

  test("that makes the app's logger throw does not fail a call [F4.3]", async () => {
    const here = world()
    const warn = () => {
      throw new Error('no console')
    }
    const client = await here.signedIn({ logger: { warn }, fetch: refusing(here) })
    expect((await client.fetch('https://one.example/')).status).toBe(401)
  })
})

/** APIs that are in no list respond with 401. */
const refusing =
  (here: World): typeof fetch =>
  async (input, init) => {
    const { url } = new Request(input, init)
    return url.includes('.example/') ? new Response('who?', { status: 401 }) : here.fetch(input, init)
  }

describe('a 401 from an API that is in no list', () => {
  test('causes one warning per origin, which names the lists [F4.2]', async () => {
    const here = world()
    const client = await here.signedIn({ fetch: refusing(here) })
    for (let time = 0; time < 3; time++) {
      expect((await client.fetch('https://one.example/secret?and=more')).status).toBe(401)
      await client.fetch(new Request('https://other.example/'))
    }
    expect(warningsOf(client, 'origin_not_allowed')).toEqual([
      expect.stringMatching(/^https:\/\/one\.example answered 401\. .*"allowedOrigins" nor "resources"\.$/),
      expect.stringMatching(/^https:\/\/other\.example answered 401\./),
    ])
  })

  test.each<[string, (client: TestClient) => Promise<unknown>]>([
    ['from an API that is in a list', client => client.fetch(`${API}/always-401`)],
    [
      'to a call with its own Authorization header',
      client => client.fetch('https://one.example/', { headers: { authorization: 'Basic abc' } }),
    ],
    [
      'to a Request with one',
      client =>
        client.fetch(new Request('https://one.example/', { headers: [['Authorization', 'Basic abc']] })),
    ],
    [
      'to a signed-out user',
      async client => {
        await client.signOut()
        await client.fetch('https://one.example/')
      },
    ],
  ])('causes no warning if it is one %s [F4.2]', async (_what, call) => {
    const here = world()
    const client = await here.signedIn({ fetch: refusing(here) })
    await call(client)
    expect(warningsOf(client, 'origin_not_allowed')).toEqual([])
  })
})

test('the standard claims of a session have types and match the ID Token [F4.9]', async () => {
  const here = world()
  here.as.idTokenClaims = { name: 'Alice', email_verified: true, roles: ['admin'] }
  const { session } = await here.signedIn()
  if (session.status !== 'signed-in') throw new Error('Nobody is signed in.')
  expect(session.claims).toMatchObject(here.as.idTokenClaims)
  expectTypeOf(session.claims?.name).toEqualTypeOf<string | undefined>()
  expectTypeOf(session.claims?.email_verified).toEqualTypeOf<boolean | undefined>()
})

describe('the page after a sign-in', () => {
  const returning = async (options: { navigate?: (path: string) => unknown }, change = (url: URL) => url) => {
    const here = world()
    const away = leaving(here.as)
    const start = pageAt('https://app.example.com/')
    await here.client({ page: start, userAgent: away.userAgent }).signIn({ returnTo: '/notes?a=b#c' })
    const page = pageAt(change(new URL(away.callbacks[0] as string)).href)
    const client = here.client({ page, ...options })
    await client.start().catch(() => {})
    return { page, client }
  }

  test('is shown by `navigate`, from a clean address, after the session has started [F4.5]', async () => {
    const seen: unknown[] = []
    const made = returning({
      navigate: path => void seen.push(path),
    })
    const { page, client } = await made
    expect(seen).toEqual(['/notes?a=b#c'])
    expect(page.location()).toBe('https://app.example.com/callback')
    expect(client.session.status).toBe('signed-in')
  })

  test('is not shown if the app has navigated during the sign-in [F4.5]', async () => {
    const here = world()
    const away = leaving(here.as)
    await here.client({ userAgent: away.userAgent }).signIn({ returnTo: '/notes' })
    const page = pageAt(away.callbacks[0] as string)
    const seen: string[] = []
    const elsewhere = 'https://app.example.com/elsewhere'
    const moving: typeof fetch = (...args) => {
      page.replaceLocation(elsewhere)
      return here.fetch(...args)
    }
    const client = here.client({ page, fetch: moving, navigate: path => seen.push(path) })
    expect(await client.start()).toMatchObject({ status: 'signed-in' })
    expect([page.location(), seen]).toEqual([elsewhere, []])
  })

  test('is shown by `navigate` after a refused sign-in too [F4.5]', async () => {
    const seen: string[] = []
    const { page } = await returning({ navigate: path => seen.push(path) }, url => {
      url.searchParams.delete('code')
      url.searchParams.set('error', 'access_denied')
      return url
    })
    expect([seen, page.location()]).toEqual([['/notes?a=b#c'], 'https://app.example.com/callback'])
  })

  test.for<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new TypeError('no router yet')
      },
    ],
    ['rejects', () => Promise.reject(new Error('a blocked navigation'))],
  ])('does not fail the sign-in if `navigate` %s [F4.5]', async ([, navigate]) => {
    const { client } = await returning({ navigate })
    expect(client.session.status).toBe('signed-in')
  })

  test('is only put in the address without `navigate`, or if it throws [F4.5]', async () => {
    const navigate = () => {
      throw new TypeError('no router yet')
    }
    for (const options of [{}, { navigate }]) {
      expect((await returning(options)).page.location()).toBe('https://app.example.com/notes?a=b#c')
    }
  })
})

describe('signIn() with a signal', () => {
  const waiting = () => {
    let closed = 0
    const userAgent = {
      name: 'test',
      begin: (redirectUri: string) => ({
        redirectUri,
        authorize: () => new Promise<string>(() => {}),
        close: () => void closed++,
      }),
    }
    return { userAgent, closed: () => closed }
  }

  test("rejects with the signal's reason, closes the window, and no longer shows signing in [F4.12]", async () => {
    const here = world()
    const { userAgent, closed } = waiting()
    const client = here.client({ userAgent })
    await client.start()
    const controller = new AbortController()
    const signedIn = client.signIn({ signal: controller.signal }).catch((reason: unknown) => reason)
    await expect.poll(() => client.types()).toContain('authorization-request')
    expect(client.session.status).toBe('signing-in')
    const reason = new Error('the user went elsewhere')
    controller.abort(reason)
    expect(await signedIn).toBe(reason)
    await expect.poll(closed).toBe(1)
    expect(client.session.status).toBe('signed-out')
  })

  test('does not start if already aborted, and does not affect another sign-in [F4.12]', async () => {
    const here = world()
    const client = here.client()
    await expect(client.signIn({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    expect(here.as.requests).toEqual([])
    const controller = new AbortController()
    const [own, other] = [client.signIn({ signal: controller.signal }), client.signIn()]
    controller.abort()
    await expect(own).rejects.toMatchObject({ name: 'AbortError' })
    expect(await other).toMatchObject({ status: 'signed-in' })
  })
})
