import { AuthorizationResponseError, ResponseBodyError } from 'oauth4webapi'
import { parseUrl } from '../core/destination.ts'
import type { Warn } from '../core/events.ts'
import { isOfKind } from '../core/kind.ts'
import type { Quirk } from '../core/quirks.ts'
import type { UnusableRecord } from '../core/session.ts'
import { CallbackError, ConfigurationError, LatchkeyError, NetworkError, ServerError } from '../errors.ts'

/** Why this client cannot use the stored record, and what to do. */
export const unusableError = (why: UnusableRecord['unusable']): ConfigurationError =>
  new ConfigurationError(
    why === 'newer'
      ? 'A newer version of this app stored this session. Reload the page or restart the program to get that version.'
      : 'The stored session is bound to a key (DPoP), and this client was created without dpop(). Reload the page, or add dpop() to "extensions".',
  )

/** Whether an error means that the user must act at the authorization server (OpenID Connect Core section 3.1.2.6). */
export const needsUser = (error: string | undefined): boolean =>
  /^(login|consent|interaction|account_selection)_required$/.test(error ?? '')

/** Statuses that say nothing about the request: the server may answer it later. */
const isUnavailable = (status = 0) => status >= 500 || [408, 425, 429].includes(status)

/** The longest `Retry-After` that latchkey obeys. */
const LONGEST_PAUSE_MS = 3_600_000

/** Parses a date in any of the three forms of RFC 9110 section 5.6.7. The last one does not name its time zone, GMT. */
const parseDate = (value: string): number =>
  /^[A-Z]/.test(value) ? Date.parse(/\d$/.test(value) ? `${value} GMT` : value) : Number.NaN

/** Parses `Retry-After`: seconds or a date (RFC 9110 section 10.2.3). Ignores anything else. */
export function retryAfterMs({ headers }: Response, now: number): number | undefined {
  const value = headers.get('retry-after') ?? ''
  // a date is relative to the server's clock, if the response has a `Date`
  const wait = /^\d+$/.test(value)
    ? Number(value) * 1000
    : parseDate(value) - (Date.parse(headers.get('date') ?? '') || now)
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), LONGEST_PAUSE_MS)
}

/** Makes text from a server safe to show: short, printable, without markup, and without the secrets that latchkey sent. */
export const tidy = (text: string | undefined, secrets: readonly string[] = []): string | undefined =>
  secrets
    .reduce((safe, secret) => safe?.replaceAll(secret, '…'), text)
    ?.slice(0, 200)
    .replace(/[^ -~…]|[<>]/g, '?')

/** The `claims` that the next sign-in must request, as Microsoft Entra sends them: JSON without any of the secrets. */
function claimsOf({ cause, error }: ResponseBodyError, secrets: readonly string[]): string | undefined {
  const { claims } = cause
  const isFit = needsUser(error) && typeof claims === 'string' && /^[ -~]{2,4000}$/.test(claims)
  return isFit && !secrets.some(secret => claims.includes(secret)) ? claims : undefined
}

/** What to do about an answer that only the server's side can mend. */
export const REPORT = "Report it to the server's operator."

const NO_PROMPT = 'The server requires user interaction. Sign in without prompt=none.'
const GRANT = 'Enable the grant types authorization_code and refresh_token for this client at the server.'

/** Tells the app's developers what to do about an OAuth error (docs/errors.md has more). */
const ADVICE: Readonly<Record<string, string>> = {
  access_denied: 'The user or a policy of the server denied the request. Offer sign-in again.',
  invalid_request:
    'Compare "redirectUri" and "authorizationParameters" with the registration of this client.',
  invalid_scope: 'Correct "scope", or allow this client these scopes at the server.',
  invalid_client: 'Compare "clientId" and "clientAuthentication" with the registration of this client.',
  invalid_grant:
    'The code or refresh token was already used, has expired, or belongs to another sign-in, client or redirect URI. Sign in again.',
  invalid_target: 'Correct "resources", or allow this client these APIs at the server.',
  unauthorized_client: GRANT,
  unsupported_response_type: GRANT,
  unsupported_grant_type: GRANT,
  login_required: NO_PROMPT,
  consent_required: NO_PROMPT,
  interaction_required: NO_PROMPT,
  account_selection_required: NO_PROMPT,
  server_error: 'Try again later.',
  temporarily_unavailable: 'Try again later.',
}

/** The web page about an error, if it is an https URL. */
const pageOf = (uri: string | null | undefined): string | undefined =>
  uri && uri.length < 500 && /^https:\/\/[!-~]+$/.test(uri) && parseUrl(uri) ? uri : undefined

/** Describes a refusal: the error, the server's description, and what to do next. */
export const refusalOf = (what: string, name: string, description: string | undefined): string =>
  `${what} was refused: ${name}${description ? ` (${description})` : ''}. ${ADVICE[name] ?? "See the server's log."}`

/**
 * Translates every error of a request to the authorization server. The result does not contain oauth4webapi's own error,
 * because its message, cause and response may contain what latchkey sent.
 * @param what names the request in the message.
 * @param secrets the secrets in the request.
 */
export function toLatchkeyError(
  error: unknown,
  what: string,
  now: number,
  secrets: readonly string[] = [],
): LatchkeyError {
  if (error instanceof LatchkeyError) return error
  const thrown: Partial<Error> & { code?: unknown; response?: unknown } = Object(error)
  const { name = 'Error', cause, response = cause, message } = thrown
  const code = typeof thrown.code === 'string' ? thrown.code : name // the code of a DOMException is a number
  // @hono/node-server replaces the global Response
  const answer = [response, (cause as { response?: unknown } | undefined)?.response].find(one =>
    isOfKind(one, 'Response'),
  )
  const status = answer?.status
  if (answer && isUnavailable(status)) {
    return new NetworkError(`${what} was answered with ${status}. Try again later.`, 'unavailable', {
      status,
      retryAfterMs: retryAfterMs(answer, now),
    })
  }
  if (error instanceof ResponseBodyError || error instanceof AuthorizationResponseError) {
    const name = tidy(error.error, secrets) as string
    const errorDescription = tidy(error.error_description, secrets)
    const refusal = refusalOf(what, name, errorDescription)
    const details = { error: name, errorDescription }
    if (error instanceof ResponseBodyError) {
      const text = needsUser(name) ? `${refusal} Call signIn({ stepUp: error }).` : refusal
      return new ServerError(text, { ...details, status, claims: claimsOf(error, secrets) })
    }
    // oauth4webapi has already checked state and issuer
    const errorUri = pageOf(error.cause.get('error_uri'))
    return new CallbackError(refusal, 'authorization_error', { ...details, errorUri })
  }
  // the messages of oauth4webapi's own checks contain no values
  const reason = code.startsWith('OAUTH_') ? String(message) : code
  const advice = reason.includes('"alg"')
    ? `It is signed with ${tidy(String(Object(Object(cause).header).alg))}: register this client for RS256 or ES256.`
    : REPORT
  // not JSON, or not of the protocol: a proxy or the sign-in page of a network has answered
  return /NOT_JSON|NOT_CONFORM/.test(code)
    ? new NetworkError(
        `${what} was answered by something between this client and the authorization server, such as a proxy (status ${status}). Try again later.`,
        'not_the_server',
        { status },
      )
    : new ServerError(`${what} failed: the response is invalid (${reason}). ${advice}`, {
        error: 'invalid_response',
        status,
      })
}

/**
 * Accepts a deviation from the specifications with a warning, if the option `quirks` names it.
 * @throws ServerError that names the quirk, if the option does not.
 */
export type AcceptDeviation = (quirk: Quirk, what: string) => void

export const createAcceptDeviation =
  (allowed: ReadonlySet<Quirk>, warn: Warn): AcceptDeviation =>
  (quirk, what) => {
    const deviation = `The authorization server's answer ${what}.`
    if (allowed.has(quirk)) return warn('quirk', deviation)
    throw new ServerError(`${deviation} To accept this, add "${quirk}" to "quirks".`, {
      error: 'invalid_response',
      quirk,
    })
  }
