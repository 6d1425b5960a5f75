import { AuthorizationResponseError, ResponseBodyError } from 'oauth4webapi'
import type { Warn } from '../core/events.ts'
import type { Quirk } from '../core/quirks.ts'
import type { UnusableRecord } from '../core/session.ts'
import { CallbackError, ConfigurationError, LatchkeyError, NetworkError, ServerError } from '../errors.ts'

/** Why this client cannot use the stored record, and what to do. */
export const unusableError = (why: UnusableRecord['unusable']): ConfigurationError =>
  new ConfigurationError(
    why === 'newer'
      ? 'The stored session is of a newer version of this app. Reload the page, or restart the program, to get that version.'
      : 'The stored session is bound to a key (DPoP), and this client was created without dpop(). Reload the page, or add dpop() to "extensions".',
  )

/** Whether an error means that the user must act at the authorization server (OpenID Connect Core section 3.1.2.6). */
export const needsUser = (error: string | undefined): boolean =>
  /^(login|consent|interaction|account_selection)_required$/.test(error ?? '')

/** What these do not say, the server will answer another time. */
const isUnavailable = (status = 0) => status >= 500 || [408, 425, 429].includes(status)

/** No server may keep a session away from its tokens for longer than this. */
const LONGEST_PAUSE_MS = 3_600_000

/** A date in any of its three forms (RFC 9110 section 5.6.7), the last of which does not name its zone. */
const parseDate = (value: string): number =>
  /^[A-Z]/.test(value) ? Date.parse(/\d$/.test(value) ? `${value} GMT` : value) : Number.NaN

/** Seconds, or a date (RFC 9110 section 10.2.3); anything else is not a wait. */
export function retryAfterMs({ headers }: Response, now: number): number | undefined {
  const value = headers.get('retry-after') ?? ''
  // a date is read against the clock that wrote it, where that is told
  const wait = /^\d+$/.test(value)
    ? Number(value) * 1000
    : parseDate(value) - (Date.parse(headers.get('date') ?? '') || now)
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), LONGEST_PAUSE_MS)
}

/** Text from outside, fit to be shown: short, printable, no markup, and without what we sent. */
export const tidy = (text: string | undefined, secrets: readonly string[] = []): string | undefined =>
  secrets
    .reduce((safe, secret) => safe?.replaceAll(secret, '…'), text)
    ?.slice(0, 200)
    .replace(/[^ -~…]|[<>]/g, '?')

/** What the token endpoint asks for where the user is needed, as Microsoft Entra does: JSON that repeats nothing of ours. */
function claimsOf({ cause, error }: ResponseBodyError, secrets: readonly string[]): string | undefined {
  const { claims } = cause
  const isFit = needsUser(error) && typeof claims === 'string' && /^[ -~]{2,4000}$/.test(claims)
  return isFit && !secrets.some(secret => claims.includes(secret)) ? claims : undefined
}

const NO_PROMPT = 'The server needs the user: sign in without prompt=none.'
const GRANT = 'Allow this client the grants authorization_code and refresh_token at the server.'

/** What to do next about an OAuth error, for the developers of the app (docs/errors.md has more). */
const ADVICE: Readonly<Record<string, string>> = {
  access_denied: 'The user, or a rule of the server, said no.',
  invalid_request:
    'Compare "redirectUri" and "authorizationParameters" with the registration of this client.',
  invalid_scope: 'Correct "scope", or allow this client these scopes at the server.',
  invalid_client: 'Compare "clientId" and "clientAuthentication" with the registration of this client.',
  invalid_grant:
    'What was sent was used before, has expired, or belongs to another sign-in, client or redirect URI.',
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

/** The web page of an error, where it is one that can be followed. */
const pageOf = (uri: string | null | undefined): string | undefined =>
  uri && uri.length < 500 && /^https:\/\/[!-~]+$/.test(uri) && URL.canParse(uri) ? uri : undefined

/** A refusal in one sentence: the error, what the server says about it, and what to do next. */
export const refusalOf = (what: string, name: string, description: string | undefined): string =>
  `${what} was refused: ${name}${description ? ` (${description})` : ''}. ${ADVICE[name] ?? "The server's log may say more."}`

/**
 * The one translation of what went wrong between us and the authorization server. oauth4webapi's own error is left
 * behind, because its message, cause and response may hold what was sent.
 * @param what the request, for the message.
 * @param secrets what was in it.
 */
export function toLatchkeyError(
  error: unknown,
  what: string,
  now: number,
  secrets: readonly string[] = [],
): LatchkeyError {
  if (error instanceof LatchkeyError) return error
  const { code, cause, response = cause, message } = error as Error & { code?: string; response?: unknown }
  const answer =
    response instanceof Response ? response : (cause as { response?: Response } | undefined)?.response
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
    const details = { error: name, errorDescription, status }
    if (error instanceof ResponseBodyError) {
      const message = needsUser(name) ? `${refusal} Call signIn({ stepUp: error }).` : refusal
      return new ServerError(message, { ...details, claims: claimsOf(error, secrets) })
    }
    // its state and issuer have been checked by now
    const errorUri = pageOf(error.cause.get('error_uri'))
    return new CallbackError(refusal, 'authorization_error', { ...details, errorUri })
  }
  // the messages of oauth4webapi's own checks hold nothing that was sent or received
  const reason = String(code).startsWith('OAUTH_') ? message : code
  // not JSON, or not what the protocol knows: a proxy or the sign-in page of a network
  return /NOT_JSON|NOT_CONFORM/.test(code as string)
    ? new NetworkError(
        `${what} was not answered by the authorization server (status ${status}). Try again later.`,
        'not_the_server',
        { status },
      )
    : new ServerError(`${what} got an answer that did not pass its checks (${reason}).`, {
        error: 'invalid_response',
        status,
      })
}

/**
 * Accepts a deviation from the specifications where the app has named that quirk, with a warning.
 * @throws ServerError that names the quirk, where it has not.
 */
export type AcceptDeviation = (quirk: Quirk, what: string) => void

export const createAcceptDeviation =
  (allowed: ReadonlySet<Quirk>, warn: Warn): AcceptDeviation =>
  (quirk, what) => {
    const deviation = `The authorization server's answer ${what}.`
    if (allowed.has(quirk)) return warn('quirk', deviation)
    throw new ServerError(`${deviation} The option "quirks" with "${quirk}" accepts it.`, {
      error: 'invalid_response',
      quirk,
    })
  }
