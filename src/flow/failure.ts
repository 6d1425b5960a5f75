import { AuthorizationResponseError, ResponseBodyError } from 'oauth4webapi'
import { CallbackError, LatchkeyError, NetworkError, ServerError } from '../errors.ts'

/** What these do not say, the server will answer another time. */
const isUnavailable = (status = 0) => status >= 500 || [408, 425, 429].includes(status)

/** Seconds, or a date (RFC 9110 section 10.2.3); anything else is not a wait. */
const retryAfterMs = ({ headers }: Response, now: number): number | undefined => {
  const value = headers.get('retry-after') ?? ''
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const date = /^[A-Z]/.test(value) ? Date.parse(value) : Number.NaN
  // against the clock that wrote it, where that is told
  return date ? Math.max(0, date - (Date.parse(headers.get('date') ?? '') || now)) : undefined
}

/** Text from outside, fit to be shown: short, printable, and without what we sent. */
const tidy = (text: string | undefined, secrets: readonly string[]): string | undefined =>
  secrets
    .reduce((safe, secret) => safe?.replaceAll(secret, '…'), text)
    ?.slice(0, 200)
    .replace(/[^ -~…]/g, '?')

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
  const { code, cause, response = cause } = error as { code?: string; cause?: unknown; response?: unknown }
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
    const message = `${what} was refused: ${name}.`
    const details = { error: name, errorDescription: tidy(error.error_description, secrets), status }
    return error instanceof ResponseBodyError
      ? new ServerError(`${message} Check how this client is registered at the server.`, details)
      : new CallbackError(`${message} Call signIn() to try again.`, 'authorization_error', details)
  }
  // not JSON, or not what the protocol knows: a proxy or the sign-in page of a network
  return /NOT_JSON|NOT_CONFORM/.test(code as string)
    ? new NetworkError(
        `${what} was not answered by the authorization server (status ${status}). Try again later.`,
        'not_the_server',
        { status },
      )
    : new ServerError(`${what} got an answer that did not pass its checks (${code}).`, {
        error: 'invalid_response',
        status,
      })
}
