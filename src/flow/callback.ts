import * as oauth from 'oauth4webapi'
import { CallbackError, type LatchkeyError, NetworkError, ServerError } from '../errors.ts'
import { userAgentOfState } from './authorize.ts'
import type { Server } from './discovery.ts'
import { toLatchkeyError } from './failure.ts'
import type { Granted, TokenRequests } from './token-request.ts'
import type { Transaction } from './transaction.ts'

/** A URL that looks like the answer to one of our authorization requests. */
export interface Callback {
  readonly url: URL
  readonly state: string
  /** Which kind of user agent asked. */
  readonly userAgent: string
}

/** What the answer's parameters are called (RFC 6749 section 4.1.2, RFC 9207, session management). */
const PARAMETERS = [
  'code',
  'state',
  'iss',
  'session_state',
  'error',
  'error_description',
  'error_uri',
  'scope',
]
/** Never asked for, and never left in an address bar. */
const UNASKED = ['access_token', 'id_token', 'token_type', 'expires_in', 'refresh_token']

/** `undefined` for every URL that is not the answer to a sign-in of latchkey: it is nobody's business here. */
export function parseCallback(url: string | URL): Callback | undefined {
  if (!URL.canParse(url)) return undefined
  const parsed = new URL(url)
  const state = parsed.searchParams.get('state')
  const userAgent = userAgentOfState(state)
  if (!userAgent || !(parsed.searchParams.has('code') || parsed.searchParams.has('error'))) return undefined
  return { url: parsed, state: state as string, userAgent }
}

/** The same address without what the authorization server put there; everything else stays, in its order. */
export function cleanUrl(url: URL): string {
  const clean = new URL(url)
  const drop = new Set([...PARAMETERS, ...UNASKED])
  // cut from the text: URLSearchParams would write what is left in another spelling
  const kept = clean.search
    .slice(1)
    .split('&')
    .filter(pair => !drop.has(pair.split('=')[0] as string))
  clean.search = kept.join('&')
  if (/(^#|&)(access_token|id_token|code)=/.test(clean.hash)) clean.hash = ''
  return clean.href
}

/** Whether the answer arrived where the request said it should. */
export const isAtRedirectUri = ({ url }: Callback, redirectUri: string): boolean => {
  const expected = new URL(redirectUri)
  return (
    url.protocol === expected.protocol && url.host === expected.host && url.pathname === expected.pathname
  )
}

/** How often the code is sent when no answer comes. */
const ATTEMPTS = 2

/**
 * Checks the answer (RFC 6749 section 4.1.2, RFC 9207) and exchanges its code.
 * @throws CallbackError when this sign-in cannot succeed; NetworkError when the same callback may succeed later.
 */
export async function finishAuthorization(
  {
    server,
    clientId,
    requests,
    now,
  }: {
    server: Server
    clientId: string
    requests: TokenRequests
    now: () => number
  },
  { url }: Callback,
  transaction: Transaction,
): Promise<Granted> {
  const as = await server()
  try {
    const answer = new URL(url)
    for (const name of UNASKED) answer.searchParams.delete(name)
    const callbackParameters = oauth.validateAuthResponse(
      as,
      { client_id: clientId },
      answer,
      transaction.state,
    )
    const { redirectUri, codeVerifier, nonce } = transaction
    for (let attempt = 1; ; attempt++) {
      try {
        return await requests.exchangeCode({ callbackParameters, redirectUri, codeVerifier, nonce, attempt })
      } catch (error) {
        const again = error instanceof NetworkError && error.reason !== 'timeout' && attempt < ATTEMPTS
        if (!again) throw error
      }
    }
  } catch (cause) {
    throw toCallbackError(cause, now())
  }
}

function toCallbackError(cause: unknown, now: number): LatchkeyError {
  if (cause instanceof oauth.AuthorizationResponseError) {
    const error = cause.error.replace(/[^\x21-\x7e]/g, '?').slice(0, 100)
    return new CallbackError(
      `The authorization server did not sign the user in: ${error}. Call signIn() to try again.`,
      'authorization_error',
      { error },
    )
  }
  const error = toLatchkeyError(cause, 'The sign-in', now)
  if (!(error instanceof ServerError) || error.retryable) return error
  return new CallbackError(
    `The sign-in could not be completed: ${error.message} Call signIn() to begin anew.`,
    'invalid_response',
    { cause: error, error: error.error },
  )
}
