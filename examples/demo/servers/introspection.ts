import * as oauth from 'oauth4webapi'
import type { ResourceServerLogEntry } from './resource-server.ts'

export interface TokenCheckOptions {
  /** The authorization server that issues the tokens; its introspection endpoint is found by discovery. */
  issuer: string
  credentials: { readonly clientId: string; readonly clientSecret: string }
  log: (entry: ResourceServerLogEntry) => void
}

/** The user of the token, or the answer to send instead (RFC 6750 section 3). */
export type TokenCheck =
  | { readonly ok: true; readonly subject: string }
  | {
      readonly ok: false
      readonly status: number
      readonly headers: Record<string, string>
      readonly body: { error: string }
    }

const refuse = (status: number, attributes: Record<string, string>): TokenCheck => ({
  ok: false,
  status,
  headers: {
    'www-authenticate': `Bearer ${Object.entries({ realm: 'notes', ...attributes })
      .map(([name, value]) => `${name}="${value}"`)
      .join(', ')}`,
  },
  body: { error: attributes.error_description ?? 'An access token is needed.' },
})

const unavailable: TokenCheck = {
  ok: false,
  status: 503,
  headers: { 'retry-after': '1' },
  body: { error: 'The authorization server cannot be asked about the token right now.' },
}

// RFC 6750 section 2.1
const bearer = /^Bearer +([\w.~+/-]+=*)$/i

/** Asks the authorization server about every token, so that it refuses a revoked one at once. */
export function createTokenCheck({ issuer, credentials, log }: TokenCheckOptions) {
  const client: oauth.Client = { client_id: credentials.clientId }
  const authenticate = oauth.ClientSecretBasic(credentials.clientSecret)
  // The demo's servers speak plain http, on loopback only.
  const http = { [oauth.allowInsecureRequests]: true }
  let metadata: oauth.AuthorizationServer | undefined

  const introspect = async (accessToken: string): Promise<oauth.IntrospectionResponse> => {
    const url = new URL(issuer)
    const signal = () => AbortSignal.timeout(5000)
    metadata ??= await oauth.processDiscoveryResponse(
      url,
      await oauth.discoveryRequest(url, { ...http, signal }),
    )
    log({ type: 'introspection-request' })
    const response = await oauth.introspectionRequest(metadata, client, authenticate, accessToken, {
      ...http,
      signal,
      additionalParameters: { token_type_hint: 'access_token' },
    })
    return oauth.processIntrospectionResponse(metadata, client, response)
  }

  return async (authorization: string | undefined, scope: string): Promise<TokenCheck> => {
    // RFC 6750 section 3.1: no error code where no token was sent.
    if (!authorization || !/^Bearer\b/i.test(authorization)) return refuse(401, {})
    const accessToken = bearer.exec(authorization)?.[1]
    if (!accessToken) {
      return refuse(401, { error: 'invalid_token', error_description: 'The access token is malformed.' })
    }
    let answer: oauth.IntrospectionResponse
    try {
      answer = await introspect(accessToken)
    } catch (error) {
      log({ type: 'introspection-error', message: error instanceof Error ? error.message : String(error) })
      return unavailable
    }
    log({ type: 'introspection-response', active: answer.active, scope: answer.scope ?? '' })
    if (!answer.active || !answer.sub) {
      const error_description = 'The access token is expired, revoked or unknown.'
      return refuse(401, { error: 'invalid_token', error_description })
    }
    if (!answer.scope?.split(' ').includes(scope)) {
      const error_description = `The access token does not have the scope ${scope}.`
      return refuse(403, { error: 'insufficient_scope', error_description, scope })
    }
    return { ok: true, subject: answer.sub }
  }
}
