import { fromBase64url } from '../../src/testing/signing-key.ts'
import type { SigningKey } from './signing-key.ts'
import type { StrictGrant } from './strict-as.ts'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** A token request with another grant than the authorization code. */
export interface SeenGrant {
  readonly form: Readonly<Record<string, string>>
}

/** The user for whom a token was issued, and who acts for that user (RFC 8693 section 4.1). */
interface Act {
  readonly sub: string
  /** Who acted before. */
  readonly act?: Act
}

/** What the double uses to check an assertion. */
interface Verification {
  /** The keys of the issuers of assertions that the server trusts. */
  readonly trusted: ReadonlyMap<string, SigningKey>
  /** The names of the server, one of which `aud` must contain. */
  readonly audiences: readonly string[]
  readonly nowSeconds: number
}

const decode = (part = ''): Record<string, unknown> | undefined => {
  try {
    return JSON.parse(new TextDecoder().decode(fromBase64url(part)))
  } catch {
    return undefined
  }
}

const VERIFY = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

/** Whether the issuer has signed the JWT with RS256. */
async function isSignedBy(key: SigningKey, jwt: string): Promise<boolean> {
  const [header = '', claims = '', signature = ''] = jwt.split('.')
  if (decode(header)?.alg !== 'RS256') return false
  const [jwk] = (await key.jwks()).keys
  const { kty, n, e } = jwk as Record<string, string>
  const publicKey = await crypto.subtle.importKey('jwk', { kty, n, e }, VERIFY, false, ['verify'])
  const content = new TextEncoder().encode(`${header}.${claims}`)
  return crypto.subtle.verify(VERIFY, publicKey, fromBase64url(signature), content)
}

/** RFC 7523 section 3. @returns the subject of an assertion, or `undefined` for one that the server must refuse. */
async function verifyAssertion(
  jwt: string,
  { trusted, audiences, nowSeconds }: Verification,
): Promise<string | undefined> {
  const claims = decode(jwt.split('.')[1])
  if (!claims) return undefined
  const { iss, sub, aud, exp, nbf } = claims
  const key = trusted.get(String(iss))
  if (!key || !(await isSignedBy(key, jwt))) return undefined
  if (typeof sub !== 'string' || !sub) return undefined
  if (![aud].flat().some(one => audiences.includes(one as string))) return undefined
  if (typeof exp !== 'number' || exp <= nowSeconds) return undefined
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= nowSeconds)) return undefined
  return sub
}

/** Further grants of a server that follows RFC 6749 section 4.4, RFC 8693 and RFC 7523. */
export function strictGrants() {
  const seen: SeenGrant[] = []
  const acts = new Map<string, Act>()
  const double = {
    seen,
    /** Whether client credentials get a refresh token, which RFC 6749 section 4.4.3 advises against. */
    givesRefreshTokens: false,
    /** Members to add to the response of an exchange, or to replace in it. */
    exchanged: {} as Record<string, unknown>,
    /** The keys of the issuers whose assertions the server accepts, by issuer. */
    trusted: new Map<string, SigningKey>(),
    /** The claim `act` of an access token from an exchange: who acts for its subject. */
    actOf: (accessToken: string): Act | undefined => acts.get(accessToken),
    grants: {} as Record<string, StrictGrant>,
  }
  const note = (form: URLSearchParams) => void seen.push({ form: Object.fromEntries(form) })
  const resourceOf = (form: URLSearchParams) => form.get('resource') ?? form.get('audience') ?? undefined
  const only = (form: URLSearchParams, ...names: string[]) =>
    names.every(name => form.getAll(name).length === 1 && form.get(name))
  let made = 0

  double.grants = {
    async client_credentials(form, { clientId, issue, keep }) {
      note(form)
      const more = double.givesRefreshTokens ? { refresh_token: keep(`refresh-of-service-${++made}`) } : {}
      return Response.json({ ...(await issue(clientId, form.get('scope') ?? '', resourceOf(form))), ...more })
    },

    async [EXCHANGE](form, { introspect, issue, refuse, keep }) {
      note(form)
      if (!only(form, 'subject_token', 'subject_token_type')) return refuse('invalid_request')
      if (form.has('actor_token') !== form.has('actor_token_type')) return refuse('invalid_request')
      const subject = introspect(keep(form.get('subject_token') as string))
      if (!subject || form.get('subject_token_type') !== ACCESS_TOKEN) return refuse('invalid_request')
      const actorToken = form.get('actor_token')
      const actor = actorToken ? introspect(keep(actorToken)) : undefined
      if (actorToken && !(actor && form.get('actor_token_type') === ACCESS_TOKEN))
        return refuse('invalid_request')
      const granted = await issue(subject.subject, form.get('scope') ?? subject.scope, resourceOf(form))
      const { id_token: _, ...members } = granted
      const before = acts.get(form.get('subject_token') as string)
      const act = actor ? { sub: actor.subject, ...(before && { act: before }) } : before
      if (act) acts.set(members.access_token as string, act)
      return Response.json({ ...members, issued_token_type: ACCESS_TOKEN, ...double.exchanged })
    },

    async [JWT_BEARER](form, { issue, refuse, keep, issuer, clientId, clock }) {
      note(form)
      if (!only(form, 'assertion')) return refuse('invalid_request')
      // the on-behalf-of flow of Microsoft Entra takes the access token that the client was called with
      const isOnBehalfOf = form.get('requested_token_use') === 'on_behalf_of'
      const subject = await verifyAssertion(keep(form.get('assertion') as string), {
        trusted: double.trusted,
        audiences: isOnBehalfOf ? [clientId] : [issuer, `${issuer}/token`],
        nowSeconds: clock.now() / 1000,
      })
      if (!subject) return refuse('invalid_grant')
      return Response.json(await issue(subject, form.get('scope') ?? '', resourceOf(form)))
    },

    async password(form, { issue, keep }) {
      note(form)
      keep(form.get('password') ?? '')
      return Response.json(await issue(form.get('username') ?? '', ''))
    },
  }
  return double
}
