import { createRemoteJWKSet, customFetch as josesFetch, jwtVerify } from 'jose'
import { allowInsecureRequests, customFetch, validateJwtAccessToken } from 'oauth4webapi'
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

const AT_ONCE = 500

/** Validations in a second: many at once, as a busy server has them. */
async function rateOf(rounds: number, validate: () => Promise<unknown>, prepare = () => {}): Promise<number> {
  const rates: number[] = []
  for (let round = -2; round < rounds; round++) {
    prepare()
    const begun = performance.now()
    await Promise.all(Array.from({ length: AT_ONCE }, validate))
    if (round >= 0) rates.push(AT_ONCE / ((performance.now() - begun) / 1000))
  }
  return median(rates)
}

/** What one validation adds to a request that is alone, in µs. */
async function latencyOf(rounds: number, validate: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let round = -20; round < rounds * 10; round++) {
    const begun = performance.now()
    await validate()
    if (round >= 0) times.push((performance.now() - begun) * 1000)
  }
  return median(times)
}

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
    const contenders: [what: string, validate: () => Promise<unknown>, prepare?: () => void][] = [
      ['latchkey, JWT', () => verdict(byKeys, request(`Bearer ${token}`))],
      ['oauth4webapi, JWT', () => validateJwtAccessToken(as, request(`Bearer ${token}`), API, options)],
      ['jose alone, JWT', () => jwtVerify(token, keySet, verify)],
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
    const rows: string[][] = []
    for (const [what, validate, prepare] of contenders) {
      say(what)
      const rate = await rateOf(rounds, validate, prepare)
      rows.push([what, Math.round(rate).toLocaleString('en'), (await latencyOf(rounds, validate)).toFixed(0)])
    }
    return {
      tables: [
        {
          title: `${AT_ONCE} requests at once; ${rounds} rounds, the median`,
          columns: ['what', 'validations in a second', 'µs added to one request'],
          rows,
        },
      ],
      notes: [
        'jose checks a token only: no request, no scopes, no challenge.',
        'The time to make a proof is part of the µs of DPoP.',
      ],
    }
  },
}
