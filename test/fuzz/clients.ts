import fc from 'fast-check'
import { createAuthorization } from '../../src/authorization/index.ts'
import { composeClient } from '../../src/client.ts'
import type { Client } from '../../src/core/client.ts'
import type { UserAgent } from '../../src/core/ports.ts'
import { sessionOf } from '../../src/core/session.ts'
import { createReplay } from '../../src/fetch/replay.ts'
import { type ClientOptions, parseOptions } from '../../src/options.ts'
import { sha256 } from '../../src/platform/digest.ts'
import { parseStored } from '../../src/session/record.ts'
import { broadcastChannel } from '../../src/storage/channel.ts'
import { handClock } from '../support/clock.ts'
import type { Fault } from '../support/faults.ts'
import { handledFetch } from '../support/handled-fetch.ts'
import { signingKey } from '../support/signing-key.ts'
import { API, createStrictApi } from '../support/strict-api.ts'
import { createStrictAs } from '../support/strict-as.ts'
import { sharedStore } from '../support/tabs.ts'
import {
  assertUnpolluted,
  holds,
  hostileBytes,
  mutatedJson,
  mutatedText,
  odd,
  outcome,
  type Target,
} from './hostile.ts'

const key = signingKey()

/** A server, an API and clients of them, without vitest, which `npm run fuzz` does not use. */
function stage() {
  const clock = handClock({ skipUpToMs: 1500 })
  const as = createStrictAs({ clock, key, graceMs: 1e12 })
  const store = sharedStore(clock)
  const made: Client[] = []
  const agreeable: UserAgent = {
    name: 'test',
    begin: redirectUri => ({ redirectUri, authorize: async url => as.approve(url, 'alice'), close() {} }),
  }
  const fetch = handledFetch([...as.handlers, ...createStrictApi(as).handlers])
  const client = (userAgent = agreeable): Client => {
    const options = {
      issuer: as.issuer,
      clientId: as.clientId,
      redirectUri: as.redirectUri,
      scope: 'openid read',
      allowedOrigins: [API],
    }
    const one = composeClient(
      { ...options, userAgent, store, clock } as ClientOptions,
      {
        fetch,
        clock,
        store: () => store,
        userAgent: () => userAgent,
        page: undefined,
        wake: undefined,
        baseUrl: () => undefined,
      },
      { parseOptions, createAuthorization, createReplay, authorizationEnvironment: { hash: sha256 } },
    )
    made.push(one)
    return one
  }
  /** The stored values whose keys contain this text. */
  const keysOf = async (part: string) => (await store.keyValue.keys('')).filter(name => name.includes(part))
  const session = async () => {
    const [name = ''] = await keysOf(' session')
    return sessionOf(parseStored(await store.keyValue.get(name)))
  }
  /** Settles any promise, because time passes whenever nothing happens. */
  const settled = async <T>(run: () => T | Promise<T>): Promise<T | undefined> => {
    const passing = setInterval(() => clock.advance(5000), 300)
    let guard: ReturnType<typeof setTimeout> | undefined
    const hangs = new Promise<never>((_, reject) => {
      guard = setTimeout(() => reject(new Error('It does not settle.')), 15_000)
    })
    try {
      return await outcome(() => Promise.race([run(), hangs]))
    } finally {
      clearInterval(passing)
      clearTimeout(guard)
    }
  }
  return {
    as,
    clock,
    store,
    client,
    keysOf,
    session,
    settled,
    end: () => {
      for (const one of made) one.dispose()
    },
  }
}

/** Runs on a separate stage, which is removed afterwards. */
const on = async (run: (world: ReturnType<typeof stage>) => Promise<void>) => {
  const world = stage()
  try {
    await run(world)
    assertUnpolluted()
  } finally {
    world.end()
  }
}

const bytes = (body: Uint8Array<ArrayBuffer>, status = 200): Fault => ({
  afterWork: true,
  answer: () => new Response(body, { status, headers: { 'content-type': 'application/json' } }),
})
const tokens = {
  access_token: 'another-access-token',
  token_type: 'Bearer',
  expires_in: 300,
  refresh_token: 'another-refresh-token',
  scope: 'openid read',
}
const metadata = {
  issuer: 'https://id.example.com',
  authorization_endpoint: 'https://id.example.com/authorize',
  token_endpoint: 'https://id.example.com/token',
  jwks_uri: 'https://id.example.com/jwks',
  response_types_supported: ['code'],
  code_challenge_methods_supported: ['S256'],
}
const jwk = { kty: 'RSA', alg: 'RS256', use: 'sig', kid: 'key', n: 'AQAB', e: 'AQAB' }
const faulty = fc.tuple(hostileBytes(tokens), fc.constantFrom(200, 400, 401, 403))

const isSignIn = async ({ client, settled, session }: ReturnType<typeof stage>) => {
  const one = client()
  await settled(() => one.signIn())
  const record = await session()
  holds(
    (one.session.status === 'signed-in') === (record !== undefined),
    'Signed in without a stored session.',
  )
}

export const clients: readonly Target[] = [
  {
    name: 'after a hostile response to a refresh the session is unchanged or rotated, and usable',
    oneOf: 50,
    property: () =>
      fc.asyncProperty(faulty, ([body, status]) =>
        on(async ({ as, clock, client, settled, session }) => {
          const one = client()
          await one.signIn()
          const before = await session()
          clock.advance(as.accessTokenSeconds * 1000 + 1000)
          as.failNext.push(bytes(body, status), bytes(body, status), bytes(body, status))
          await settled(() => one.fetch(`${API}/me`))
          const after = await session()
          if (one.session.status !== 'signed-in') throw new Error('The session is over.')
          holds(after !== undefined && after.sessionId === before?.sessionId, 'Another session.')
          const isSame = JSON.stringify(after?.tokens) === JSON.stringify(before?.tokens)
          const isRotated = /^[!-~]+$/.test(after?.tokens.accessToken ?? '') && !!after?.tokens.refreshToken
          holds(isSame || isRotated, 'Neither as before nor rotated.')
        }),
      ),
  },
  {
    name: 'a hostile token response never causes a partial sign-in',
    oneOf: 50,
    property: () =>
      fc.asyncProperty(faulty, ([body, status]) =>
        on(async world => {
          world.as.failNext.push(bytes(body, status))
          await isSignIn(world)
        }),
      ),
  },
  {
    name: 'hostile metadata is rejected or used',
    oneOf: 50,
    property: () =>
      fc.asyncProperty(hostileBytes(metadata), body =>
        on(async world => {
          world.as.failMetadata.push(bytes(body), bytes(body))
          await isSignIn(world)
        }),
      ),
  },
  {
    name: 'hostile keys verify no signature',
    oneOf: 50,
    property: () =>
      fc.asyncProperty(
        fc.oneof(
          hostileBytes({ keys: [jwk] }),
          mutatedJson(jwk).map(text => new TextEncoder().encode(`{"keys":[${text}]}`)),
        ),
        body =>
          on(async world => {
            world.as.failKeys.push(bytes(body), bytes(body), bytes(body))
            const one = world.client()
            await world.settled(() => one.signIn())
            holds(one.session.status !== 'signed-in', 'Signed in with keys of somebody else.')
          }),
      ),
  },
  {
    name: 'an ID Token with odd claims never causes a partial sign-in',
    oneOf: 50,
    property: () =>
      fc.asyncProperty(
        fc.constantFrom(
          'iss',
          'sub',
          'aud',
          'exp',
          'iat',
          'nonce',
          'azp',
          'at_hash',
          'acr',
          'auth_time',
          '__proto__',
          'toString',
        ),
        odd,
        (name, value) =>
          on(async world => {
            world.as.idTokenClaims = Object.fromEntries([[name, value]])
            await isSignIn(world)
          }),
      ),
  },
  {
    name: 'a hostile callback and a damaged transaction never cause a partial sign-in',
    oneOf: 50,
    property: () =>
      fc.asyncProperty(
        fc.boolean(),
        fc.tuple(
          fc.constantFrom(
            'state',
            'codeVerifier',
            'nonce',
            'redirectUri',
            'scope',
            'returnTo',
            'createdAt',
            'acr',
            'subject',
          ),
          odd,
          mutatedText('?'),
        ),
        (damaged, [name, value, noise]) =>
          on(async ({ as, client, keysOf, store, settled, session }) => {
            const other = client()
            const first = client({
              name: 'test',
              begin: redirectUri => ({
                redirectUri,
                async authorize(url) {
                  let callback = String(await as.approve(url, 'alice'))
                  if (damaged) {
                    for (const stored of await keysOf(' transaction'))
                      await store.keyValue.update(stored, old => ({ ...(old as object), [name]: value }))
                  } else
                    callback = callback.replace(
                      '?',
                      () => `?${new URLSearchParams({ noise })}&${noise.replace(/[^!-~]/g, '')}&`,
                    )
                  await settled(() => other.handleCallback(callback))
                  throw new DOMException('The window was closed.', 'AbortError')
                },
                close() {},
              }),
            })
            await first.signIn().catch(() => {})
            const record = await session()
            holds(
              other.session.status !== 'signed-in' || record !== undefined,
              'Signed in without a stored session.',
            )
          }),
      ),
  },
  {
    name: 'a damaged stored session means signed out, or a call that settles',
    oneOf: 50,
    property: () =>
      fc.asyncProperty(
        fc.oneof(
          mutatedJson({ schema: 1, sessionId: 's', version: 1, tokens: { accessToken: 'a', scope: '' } }),
          odd,
        ),
        value =>
          on(async ({ client, keysOf, store, settled }) => {
            await client().signIn()
            const [name = ''] = await keysOf(' session')
            await store.keyValue.update(name, () => value ?? undefined)
            const one = client()
            await settled(() => one.fetch(`${API}/me`))
          }),
      ),
  },
  {
    name: 'noise on the channel is ignored, and the session stays',
    oneOf: 50,
    property: () =>
      fc.asyncProperty(odd, odd, async (noise, type) => {
        const name = `fuzz ${crypto.randomUUID()}`
        const [from, to] = [new BroadcastChannel(name), broadcastChannel(name)]
        try {
          const heard: unknown[] = []
          const last = new Promise<void>(resolve => {
            to.listen(news => {
              heard.push(news)
              if ((news as { last?: true }).last) resolve()
            })
          })
          for (const message of [noise, { type }, { type: [type] }, { type: 'session-changed', last: true }])
            from.postMessage(message)
          await last
          holds(heard.length === 1, 'Noise was told as news.')
          assertUnpolluted()
        } finally {
          from.close()
          to.close()
        }
      }),
  },
]
