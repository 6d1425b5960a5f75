import { isMembers, type Members } from '../core/members.ts'
import { NetworkError, ServerError } from '../errors.ts'
import { type AcceptDeviation, REPORT } from './failure.ts'

const DEEPEST = 32
// an unterminated string is one match too, so that each character is read once
const STRINGS = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"?/g
const NAMES = /("[^"\\]*(?:\\[\s\S][^"\\]*)*"?)\s*(:?)/g
/** Longer than any meaningful number. */
const ENDLESS_NUMBER = /\d{40}/
/** Servers accept no longer token in a header. VSCHAR without the space (RFC 6749 appendix A.12, RFC 6750 section 2.1). */
const ACCESS_TOKEN = /^[!-~]{1,65536}$/
/** VSCHAR (RFC 6749 appendix A.17). */
const REFRESH_TOKEN = /^[ -~]+$/
/** The form of OAuth's error names. The errors of firewalls and proxies have other forms. */
const ERROR_NAME = /^[a-z]+(_[a-z]+)+$/

/** JSON that ends too early, because the connection broke. */
class CutOff extends SyntaxError {}

/** The error for a response of the server that latchkey must not use. */
export const invalidResponse = (what: string, advice = REPORT): ServerError =>
  new ServerError(`The authorization server's answer ${what}. ${advice}`, { error: 'invalid_response' })

/**
 * Parses JSON that every parser reads in the same way (RFC 8259 sections 4 and 9).
 * @throws ServerError for duplicate members, very deep nesting and very long numbers; CutOff for the beginning of JSON;
 * SyntaxError for other text.
 */
export function parseJson(text: string): unknown {
  const bare = text.replace(STRINGS, '')
  let depth = 0
  for (const sign of bare) {
    if (sign === '{' || sign === '[') depth++
    else if (sign === '}' || sign === ']') depth--
    if (depth > DEEPEST) throw invalidResponse('is nested too deeply')
  }
  if (ENDLESS_NUMBER.test(bare)) throw invalidResponse('contains a number that is not finite')
  if (depth > 0 && /^\s*\{/.test(text)) throw new CutOff()
  let members = 0
  const value: unknown = JSON.parse(text, function (this: unknown, _name, member: unknown) {
    if (!Array.isArray(this)) members++
    return member
  })
  // the reviver counts each member once, and the whole value; a duplicate member has a colon but is not counted
  if (bare.split(':').length !== members) throw invalidResponse('contains a member twice')
  return value
}

/**
 * Reads the members of a JSON response. Its content type must be JSON too.
 * @param text the body, if it was read before.
 * @returns `undefined` for an error response whose body is not JSON.
 * @throws ServerError for JSON that is not valid here; NetworkError for a response that was cut off, and for a successful
 * response that does not come from the server.
 */
export async function readMembers(
  answer: Response,
  acceptDeviation: AcceptDeviation,
  text?: string,
): Promise<Members | undefined> {
  const { ok, status, headers } = answer
  const isJson = /^application\/([\w.-]+\+)?json\s*(;|$)/i.test(headers.get('content-type') ?? '')
  try {
    const value = parseJson(text ?? (await answer.text()))
    if (!isMembers(value)) throw new SyntaxError()
    if (!isJson) acceptDeviation('any_content_type', 'does not say that it is JSON')
    return value
  } catch (error) {
    const isCutOff = error instanceof CutOff && isJson
    if (!ok && !(isCutOff && isRefusal(status))) return undefined
    if (error instanceof ServerError) throw error
    const [what, reason] = isCutOff
      ? (['The answer was cut off', 'unreachable'] as const)
      : (['Something else than the authorization server answered', 'not_the_server'] as const)
    throw new NetworkError(`${what}. Try again later.`, reason, { status })
  }
}

/** Whether the token endpoint itself refuses with this status (RFC 6749 section 5.2). */
const isRefusal = (status: number): boolean => status === 400 || status === 401

/**
 * The text of a token response. One that is form-encoded becomes JSON, with its repeated members, which are refused later.
 * @throws ServerError for a form-encoded one, unless the quirk allows it.
 */
export async function textOf(answer: Response, acceptDeviation: AcceptDeviation): Promise<string> {
  const text = await answer.text()
  const { ok, status, headers } = answer
  const isForm = /^application\/x-www-form/i.test(String(headers.get('content-type')))
  if (!text || !isForm || !(ok || isRefusal(status))) return text
  acceptDeviation('form_encoded', 'is form-encoded instead of JSON')
  headers.set('content-type', 'application/json')
  return `{${[...new URLSearchParams(text)].map(pair => pair.map(one => JSON.stringify(one)).join(':'))}}`
}

/** Parses JSON without the strict checks. @returns `undefined` for text that is not a JSON object. */
function parseLeniently(text: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isMembers(value) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * Reads the new refresh token from a response that is otherwise unusable, because the server has used up the old one.
 * @returns `undefined` if there is none, or if it is a duplicate member.
 */
export function readRefreshToken(
  text: string | undefined = '',
): { refresh_token: string; id_token: unknown } | undefined {
  const { refresh_token, id_token } = parseLeniently(text) ?? {}
  if (typeof refresh_token !== 'string' || !REFRESH_TOKEN.test(refresh_token)) return undefined
  try {
    parseJson(text)
  } catch {
    // some member is a duplicate, but perhaps not this one
    const isNamed = ([, name, colon]: RegExpMatchArray) =>
      colon && JSON.parse(name as string) === 'refresh_token'
    if ([...text.matchAll(NAMES)].filter(isNamed).length !== 1) return undefined
  }
  return { refresh_token, id_token }
}

/** Gives an error without an OAuth name the name `refused`. Keeps its description. */
function nameRefused({ error, error_description, message }: Members): Members {
  const said = [error_description, Object(error).message, message, error].find(
    one => one && typeof one === 'string',
  )
  return { error: 'refused', error_description: said }
}

/**
 * Creates the same response with these members. oauth4webapi can read it more than once without parsing. A challenge beside
 * an error is removed, because oauth4webapi would report it instead of the error.
 */
export function withMembers(
  { status, headers: old }: Pick<Response, 'status' | 'headers'>,
  members: Members | undefined,
): Response {
  const headers = new Headers(old)
  headers.delete('www-authenticate')
  headers.set('content-type', members ? 'application/json' : 'text/plain')
  const answer = new Response(null, { status, headers })
  if (!members) return answer
  // defined, not assigned: @hono/node-server replaces the global Response by one whose methods are read-only
  return Object.defineProperties(answer, {
    json: { value: async () => ({ ...members }) }, // oauth4webapi writes into it
    clone: { value: () => answer },
  })
}

/**
 * Lets an extension change the members of a response. Text that is not strict JSON stays the same, and is refused later.
 */
export function respell(text: string, change: ((members: Members) => Members) | undefined): string {
  if (!change) return text
  let members: unknown
  try {
    members = parseJson(text)
  } catch {}
  return isMembers(members) ? JSON.stringify(change(members)) : text
}

/** Reads a lifetime, which may be a string. */
function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof seconds === 'number' && seconds >= 0 && Number.isFinite(seconds) ? seconds : undefined
}

/**
 * Reads a response of the token endpoint strictly (RFC 6749 sections 5.1 and 5.2). The result has no duplicate members. An
 * error without a name gets the name `refused`.
 * @param forgive receives a warning about an invalid lifetime. At a refresh, such a lifetime must not cost the new refresh
 * token, because the server has used up the old one.
 */
export async function readTokenAnswer(
  answer: Response,
  acceptDeviation: AcceptDeviation,
  forgive?: (what: string) => void,
  text?: string,
): Promise<Response> {
  const body = text ?? (await answer.text())
  const read = await readMembers(answer, acceptDeviation, body)
  const { headers } = answer
  let { status } = answer
  if (!answer.ok) return withMembers(answer, readError(status, body, read))
  // null and empty members mean the same as missing ones
  const members: Record<string, unknown> = Object.fromEntries(
    Object.entries(read as Members).filter(
      ([name, value]) => value !== null && (value !== '' || name === 'expires_in'),
    ),
  )
  const { access_token, error } = members
  // some servers send errors with the status 200
  if (access_token === undefined) {
    if (error === undefined) return withMembers(answer, members)
    return withMembers({ status: 400, headers }, typeof error === 'string' ? members : nameRefused(members))
  }
  if (error !== undefined) throw invalidResponse('has both an access token and an error')
  if (typeof access_token === 'string' && !ACCESS_TOKEN.test(access_token))
    throw invalidResponse('has an access token that no header can carry')
  if (status === 201) {
    acceptDeviation('token_status_201', 'has the status 201')
    status = 200
  }
  if (members.token_type === undefined) {
    acceptDeviation('missing_token_type', 'has no token_type')
    members.token_type = 'Bearer'
  }
  if (members.expires_in !== undefined) {
    const seconds = secondsOf(members.expires_in)
    if (seconds === undefined) {
      if (!forgive) throw invalidResponse('has an expires_in that is no lifetime')
      forgive('has an expires_in that is no lifetime: its access token is used until a 401')
    }
    members.expires_in = seconds
  }
  return withMembers({ status, headers }, members)
}

/** @returns `undefined` for a response that does not come from the token endpoint. */
function readError(status: number, text: string, read: Members | undefined): Members | undefined {
  const isOwn = isRefusal(status)
  const { error } = read ?? {}
  if (typeof error === 'string' && error && (isOwn || ERROR_NAME.test(error))) return read
  if (!isOwn) return undefined
  if (read) return nameRefused(read)
  return text.trim() && !parseLeniently(text) ? undefined : nameRefused({})
}
