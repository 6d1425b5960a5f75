import fc from 'fast-check'
import { createProtect } from '../../src/resource-server/protect.ts'
import {
  API,
  base64url,
  createTestIssuer,
  ISSUER,
  proof,
  testKey,
  thumbprint,
} from '../support/resource-server/issuer.ts'
import { assertUnpolluted, holds, type Target } from './hostile.ts'

const issuer = createTestIssuer()
const api = createProtect({ issuer: ISSUER, resource: API }, issuer)
const key = testKey('device', 'ES256')
const good = issuer.accessToken({ exp: issuer.now() + 1e7 })
const bound = issuer.accessToken({ exp: issuer.now() + 1e7, cnf: { jkt: thumbprint(key.jwk) } })

/** Any JSON, with meaningful names among its members. */
const members = (names: readonly string[]) =>
  fc.dictionary(
    fc.oneof(fc.constantFrom(...names), fc.string()),
    fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(true, ISSUER, API, 'at+jwt', 'ES256', 'key-1', 'none', 'HS256'),
    ),
  )
const header = members(['typ', 'alg', 'kid', 'jwk', 'crit', 'x5c', 'jku'])
const claims = members(['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'client_id', 'scope', 'cnf', 'acr'])
const answers = members(['active', 'iss', 'aud', 'exp', 'token_type', 'cnf'])
const part = (value: unknown) => base64url(JSON.stringify(value))

const forged = fc
  .tuple(header, claims, fc.oneof(fc.constant(''), fc.constant(good.split('.')[2] ?? ''), fc.base64String()))
  .map(([head, body, signature]) => `${part(head)}.${part(body)}.${signature}`)

/** A valid text with some characters replaced, removed, or inserted. */
const mutated = (text: string) =>
  fc
    .array(fc.tuple(fc.nat(text.length), fc.constantFrom(...'aZ09-_.=~ ,"', ''), fc.nat(2)), {
      minLength: 1,
      maxLength: 4,
    })
    .map(changes =>
      changes.reduce((old, [at, letter, less]) => old.slice(0, at) + letter + old.slice(at + less), text),
    )
    .filter(changed => changed.trim() !== text) // spaces around a token do not belong to it

const headerText = fc.string({ unit: fc.constantFrom(...'Bearer DPoP.=,"\\;:abc123-_~+/'), maxLength: 200 })

const verdictOf = async (authorization: string, presented: string | undefined, url = `${API}/notes`) => {
  const headers = new Headers()
  try {
    headers.set('authorization', authorization)
    if (presented !== undefined) headers.set('dpop', presented)
  } catch {
    return undefined // no header can contain it
  }
  return api(new Request(url, { headers }))
}

/** Never valid, and always a verdict from the closed list. */
async function assertRefused(authorization: string, presented?: string): Promise<void> {
  const verdict = await verdictOf(authorization, presented)
  assertUnpolluted()
  if (!verdict) return
  const reason = verdict.valid ? 'valid' : verdict.reason
  holds(!verdict.valid && reason !== 'unavailable', `The verdict is ${reason}.`)
}

export const resourceServer: readonly Target[] = [
  {
    name: 'protect() rejects an unsigned access token',
    oneOf: 4,
    property: () => fc.asyncProperty(forged, token => assertRefused(`Bearer ${token}`)),
  },
  {
    name: 'protect() rejects a modified access token',
    oneOf: 4,
    property: () => fc.asyncProperty(mutated(good), token => assertRefused(`Bearer ${token}`)),
  },
  {
    name: 'protect() rejects an Authorization header with any text',
    oneOf: 4,
    property: () => fc.asyncProperty(fc.oneof(headerText, fc.string()), text => assertRefused(text)),
  },
  {
    name: 'protect() rejects an unsigned or modified DPoP proof',
    oneOf: 4,
    property: () =>
      fc.asyncProperty(
        fc.oneof(forged, mutated(proof(bound, key, issuer.now())), headerText, fc.string()),
        presented => assertRefused(`DPoP ${bound}`, presented),
      ),
  },
  {
    name: 'introspection makes a token valid only if it is active and for this API',
    oneOf: 4,
    property: () =>
      fc.asyncProperty(fc.oneof(answers, fc.jsonValue()), async answer => {
        const asked = createTestIssuer()
        const trusted = { issuer: ISSUER, introspection: { clientId: 'api', cacheSeconds: 0 } }
        const judge = createProtect({ issuer: trusted, resource: API }, asked)
        asked.tokens.set('opaque', answer as Record<string, unknown>)
        const verdict = await judge(new Request(API, { headers: { authorization: 'Bearer opaque' } }))
        const { active, aud } = Object(answer)
        const mayPass = active === true && [aud].flat().includes(API)
        holds(!verdict.valid || mayPass, 'The verdict is valid.')
      }),
  },
]
