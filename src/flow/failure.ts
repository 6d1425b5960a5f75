import * as oauth from 'oauth4webapi'
import { LatchkeyError, NetworkError, ServerError } from '../errors.ts'

/** What the server cannot help for now; anything else that it says stands. */
const isUnavailable = (status: number | undefined) =>
  status !== undefined && (status >= 500 || status === 408 || status === 425 || status === 429)

/** Seconds, or the difference of a date to now (RFC 9110 section 10.2.3); anything else is not a wait. */
const retryAfterMs = (response: Response, now: number): number | undefined => {
  const value = response.headers.get('retry-after')?.trim() ?? ''
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const date = /^[A-Z][a-z]{2}/.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** Of the library's error only its class and code: its message, cause and response may hold what was sent. */
const nameOnly = (error: unknown): ErrorOptions => {
  if (!(error instanceof Error)) return {}
  const { code } = error as { code?: unknown }
  const cause = new Error(typeof code === 'string' ? code : error.name)
  cause.name = error.name
  return { cause }
}

/** Printable and short: it came from outside, and may be shown. */
const tidy = (text: string | undefined, secrets: readonly string[]) => {
  if (text === undefined) return undefined
  let safe = text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?')
  for (const secret of secrets) safe = safe.replaceAll(secret, '…')
  return safe
}

/**
 * The one translation of what went wrong between us and the authorization server.
 * @param what the request, for the message: "The token request".
 * @param secrets what was in it: masked wherever the server's text repeats it.
 */
export function toLatchkeyError(
  error: unknown,
  what: string,
  now: number,
  secrets: readonly string[] = [],
): LatchkeyError {
  if (error instanceof LatchkeyError) return error
  const response = responseOf(error)
  const status = response?.status
  if (response && isUnavailable(status)) {
    return new NetworkError(`${what} was answered with ${status}. Try again later.`, 'unavailable', {
      ...nameOnly(error),
      status,
      retryAfterMs: retryAfterMs(response, now),
    })
  }
  if (error instanceof oauth.ResponseBodyError) {
    const name = tidy(error.error, secrets) as string
    return new ServerError(
      `${what} was refused: ${name} (status ${status}). See "error" and "errorDescription".`,
      { error: name, errorDescription: tidy(error.error_description, secrets), status },
      nameOnly(error),
    )
  }
  const { code } = error as { code?: unknown }
  if (
    code === oauth.RESPONSE_IS_NOT_JSON ||
    code === oauth.RESPONSE_IS_NOT_CONFORM ||
    code === oauth.PARSE_ERROR
  ) {
    const detail = status === undefined ? '' : ` (status ${status})`
    return new NetworkError(
      `${what} was answered by something that is not the authorization server${detail}. Try again later.`,
      'not_the_server',
      { ...nameOnly(error), status },
    )
  }
  return new ServerError(
    `${what} was answered, but the answer did not pass its checks (${String(code)}).`,
    { error: 'invalid_response', status },
    nameOnly(error),
  )
}

const responseOf = (error: unknown): Response | undefined => {
  const { response, cause } = error as { response?: unknown; cause?: unknown }
  for (const candidate of [response, cause, (cause as { response?: unknown } | undefined)?.response]) {
    if (candidate instanceof Response) return candidate
  }
  return undefined
}
