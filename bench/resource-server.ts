import { createServer } from 'node:http'
import type { Request as ExpressRequest, Response as ExpressResponse } from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
import { Context } from 'hono'
import { jwk } from 'hono/jwk'
import { createRemoteJWKSet, customFetch as josesFetch, jwtVerify } from 'jose'
import { allowInsecureRequests, customFetch, validateJwtAccessToken } from 'oauth4webapi'
import { listen } from '../examples/demo/servers/listen.ts'
import { deviceClock } from '../src/platform/device.ts'
import { createProtect } from '../src/resource-server/protect.ts'
import {
  API,
  createTestIssuer,
  ISSUER,
  proof,
  testKey,
  thumbprint,
} from '../test/support/resource-server/issuer.ts'
import { type Bench, median } from './support/report.ts'
import { shuffled } from './support/turns.ts'

const AT_ONCE = 500
const ALONE = 20
/** Rounds that nobody counts, until everything is compiled. */
const WARM_UP = 2

type Validate = () => Promise<unknown>

/** One way to check a token, and what it took by round. */
interface Contender {
  readonly what: string
  readonly validate: Validate
  /** Before each round. */
  readonly prepare: (() => void) | undefined
  readonly perSecond: number[]
  /** What one validation adds to a request that is alone. */
  readonly micros: number[]
}

/** Many at once, as a busy server has them, and some that are alone. */
async function measureRound({ validate, prepare, perSecond, micros }: Contender, isWarmUp: boolean) {
  prepare?.()
  const begun = performance.now()
  await Promise.all(Array.from({ length: AT_ONCE }, validate))
  const tookMs = performance.now() - begun
  const times: number[] = []
  for (let index = 0; index < ALONE; index++) {
    const from = performance.now()
    await validate()
    times.push((performance.now() - from) * 1000)
  }
  if (isWarmUp) return
  perSecond.push(AT_ONCE / (tookMs / 1000))
  micros.push(median(times))
}

/** The middleware of frameworks, without the frameworks around it. Both get the keys by HTTP from `jwksUri`. */
function middleware(token: string, jwksUri: string, keys: HonoKeys): Record<string, Validate> {
  const authorization = `Bearer ${token}`
  const express = auth({
    ...{ issuer: ISSUER, audience: API, jwksUri, tokenSigningAlg: 'ES256', strict: true },
    dpop: { enabled: false },
  })
  const throughExpress = () => {
    const { host } = new URL(API)
    const request = { headers: { authorization, host }, method: 'GET', url: '/notes', protocol: 'https' }
    const sent = {
      ...request,
      app: { enabled: () => false, get: () => undefined },
      is: () => false,
      get: () => host,
    }
    return new Promise<void>((resolve, reject) => {
      const next = (error?: unknown) => (error ? reject(error) : resolve())
      void express(sent as never as ExpressRequest, {} as ExpressResponse, next)
    })
  }
  const verification = { iss: ISSUER, aud: API, typ: 'at+jwt' }
  const throughHono = (check: ReturnType<typeof jwk>) => async () => {
    const context = new Context(new Request(`${API}/notes`, { headers: { authorization } }))
    await check(context, async () => {})
    assert(context.get('jwtPayload'))
  }
  return {
    'express-oauth2-jwt-bearer, JWT': throughExpress,
    "hono's jwk(), JWT, keys given": throughHono(jwk({ alg: ['ES256'], keys, verification })),
    "hono's jwk(), JWT, keys by jwks_uri": throughHono(
      jwk({ alg: ['ES256'], jwks_uri: jwksUri, verification }),
    ),
  }
}
type HonoKeys = Extract<Parameters<typeof jwk>[0]['keys'], unknown[]>

const assert = (isValid: unknown) => {
  if (!isValid) throw new Error('The token that the bench made is not valid.')
}

/** What a resource server pays for each request. Both signatures are ES256, and the issuer answers in the same process. */
export const bench: Bench = {
  title: 'validating access tokens at an API',
  async run({ rounds = 10, say }) {
    const issuer = createTestIssuer({ clock: deviceClock as never })
    const { fetch } = issuer
    const clock = deviceClock
    const key = testKey('device', 'ES256')
    const token = issuer.accessToken()
    const bound = issuer.accessToken({ cnf: { jkt: thumbprint(key.jwk) } })
    issuer.tokens.set('opaque', { active: true, ...issuer.claims() })
    const request = (authorization: string, headers: Record<string, string> = {}) =>
      new Request(`${API}/notes`, { headers: { authorization, ...headers } })

    const byKeys = createProtect({ issuer: ISSUER, resource: API }, { fetch, clock })
    const asking = (cacheSeconds: number) =>
      createProtect(
        { issuer: { issuer: ISSUER, introspection: { clientId: 'api', cacheSeconds } }, resource: API },
        { fetch, clock },
      )
    const [cold, cached] = [asking(0), asking(60)]
    const verdict = async (api: typeof byKeys, sent: Request) => assert((await api(sent)).valid)

    const as = { issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` }
    const options = {
      [customFetch]: (url: string, init: object) => fetch(url, init),
      [allowInsecureRequests]: true,
    }
    const keySet = createRemoteJWKSet(new URL(as.jwks_uri), {
      [josesFetch]: (url, init) => fetch(url, init as RequestInit),
    })
    const verify = { issuer: ISSUER, audience: API, typ: 'at+jwt', algorithms: ['ES256'] }

    let proofs: string[] = []
    const makeProofs = () => {
      proofs = Array.from({ length: AT_ONCE }, () => proof(bound, key, issuer.now()))
    }
    const nextProof = () => proofs.pop() ?? proof(bound, key, issuer.now())
    const keys = { keys: issuer.published.map(({ kid, alg, jwk }) => ({ ...jwk, kid, alg, use: 'sig' })) }
    let askedForKeys = 0
    const keyServer = await listen(
      createServer((_request, response) => {
        askedForKeys++
        response.setHeader('content-type', 'application/json').end(JSON.stringify(keys))
      }),
      { name: 'key server' },
    )
    const peers = middleware(token, `${keyServer.origin}/jwks`, keys.keys as never)
    const ways: [what: string, validate: Validate, prepare?: () => void][] = [
      ['latchkey, JWT', () => verdict(byKeys, request(`Bearer ${token}`))],
      ['oauth4webapi, JWT', () => validateJwtAccessToken(as, request(`Bearer ${token}`), API, options)],
      ['jose alone, JWT', () => jwtVerify(token, keySet, verify)],
      ...Object.entries(peers),
      [
        'latchkey, JWT and DPoP',
        () => verdict(byKeys, request(`DPoP ${bound}`, { dpop: nextProof() })),
        makeProofs,
      ],
      [
        'oauth4webapi, JWT and DPoP',
        () => validateJwtAccessToken(as, request(`DPoP ${bound}`, { dpop: nextProof() }), API, options),
        makeProofs,
      ],
      ['latchkey, introspection, remembered', () => verdict(cached, request('Bearer opaque'))],
      [
        'latchkey, introspection, one question for all at once',
        () => verdict(cold, request('Bearer opaque')),
      ],
    ]
    const contenders = ways.map(
      ([what, validate, prepare]): Contender => ({ what, validate, prepare, perSecond: [], micros: [] }),
    )
    const asked: Record<string, number> = {}
    for (let round = -WARM_UP; round < rounds; round++)
      for (const contender of shuffled(contenders)) {
        say(contender.what)
        const before = askedForKeys
        await measureRound(contender, round < 0)
        asked[contender.what] = (asked[contender.what] ?? 0) + askedForKeys - before
      }
    const rows = contenders.map(({ what, perSecond, micros }) => [
      ...[what, Math.round(median(perSecond)).toLocaleString('en'), median(micros).toFixed(0)],
      peers[what] ? String(asked[what]) : '',
    ])
    await keyServer.close()
    return {
      tables: [
        {
          title: `${AT_ONCE} requests at once, and ${ALONE} alone; ${rounds} rounds by turns, the median`,
          columns: ['what', 'validations in a second', 'µs added to one request', 'requests for keys'],
          rows,
        },
      ],
      notes: [
        'jose checks a token only: no request, no scopes, no challenge.',
        "The middleware is called without its framework. hono's jwk() asks for the keys at every request.",
        'The time to make a proof is part of the µs of DPoP.',
      ],
    }
  },
}
