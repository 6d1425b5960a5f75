import type { Bend } from '../core/quirks.ts'
import { NetworkError, ServerError } from '../errors.ts'

/** The members of an answer. Names such as `__proto__` are as good as any other: they are only ever its own. */
export type Members = Readonly<Record<string, unknown>>

export const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const DEEPEST = 32
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/g
/** Far longer than any number that means something. */
const ENDLESS_NUMBER = /\d{40}/
/** Longer ones fit into no header. VSCHAR without the space (RFC 6749 appendix A.12, RFC 6750 section 2.1). */
const ACCESS_TOKEN = /^[!-~]{1,16384}$/

/** An answer that came from the server, and may not be used. */
export const unfit = (what: string): ServerError =>
  new ServerError(`The authorization server's answer ${what}.`, { error: 'invalid_response' })

/**
 * JSON that can be read in one way only (RFC 8259 sections 4 and 9).
 * @throws ServerError for members that stand twice, nesting or numbers without end; SyntaxError for what is no JSON.
 */
export function parseJson(text: string): unknown {
  const bare = text.replace(STRINGS, '')
  let depth = 0
  for (const sign of bare) {
    if (sign === '{' || sign === '[') depth++
    else if (sign === '}' || sign === ']') depth--
    if (depth > DEEPEST) throw unfit('is nested too deeply')
  }
  if (ENDLESS_NUMBER.test(bare)) throw unfit('has a number without end')
  let members = 0
  const value: unknown = JSON.parse(text, function (this: unknown, _name, member: unknown) {
    if (!Array.isArray(this)) members++
    return member
  })
  // one colon for each member, and one more "member" that is the whole: who reads the other of two is told otherwise
  if (bare.split(':').length !== members) throw unfit('has a member that stands there twice')
  return value
}

/**
 * The members of a JSON answer, which has to say that it is JSON.
 * @returns `undefined` for an error without a body that may be believed.
 * @throws ServerError for an answer that may not be used; NetworkError for a success that somebody else answered.
 */
export async function readMembers(answer: Response, bend: Bend): Promise<Members | undefined> {
  const { ok, status } = answer
  const type = answer.headers.get('content-type')?.split(';')[0]?.trim()
  try {
    const value = parseJson(await answer.text())
    if (!isMembers(value)) throw new SyntaxError()
    if (!/^application\/([\w.-]+\+)?json$/i.test(type ?? ''))
      bend('any_content_type', 'does not say that it is JSON')
    return value
  } catch (error) {
    if (!ok) return undefined
    if (error instanceof ServerError) throw error
    const message = 'The answer was cut off, or is not of the authorization server. Try again later.'
    throw new NetworkError(message, 'not_the_server', { status })
  }
}

/** The same answer with these members, as oauth4webapi reads it. A challenge beside an error would hide the error. */
export function withMembers(
  { status, headers: old }: Pick<Response, 'status' | 'headers'>,
  members: Members | undefined,
): Response {
  const headers = new Headers(old)
  headers.delete('www-authenticate')
  headers.set('content-type', members ? 'application/json' : 'text/plain')
  return new Response(members && JSON.stringify(members), { status, headers })
}

/** A lifetime, which may come as a text. */
function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof seconds === 'number' && seconds >= 0 && Number.isFinite(seconds) ? seconds : undefined
}

/**
 * An answer of the token endpoint (RFC 6749 sections 5.1 and 5.2), read strictly and given on without anything that
 * could be read in two ways.
 * @param isLenient at a refresh the old refresh token is spent: a lifetime that is none may not cost the new one.
 */
export async function readTokenAnswer(answer: Response, bend: Bend, isLenient: boolean): Promise<Response> {
  const read = await readMembers(answer, bend)
  if (!answer.ok || !read) return withMembers(answer, read)
  // null and empty members say the same as ones that are not there
  const members: Record<string, unknown> = Object.fromEntries(
    Object.entries(read).filter(([name, value]) => value !== null && (value !== '' || name === 'expires_in')),
  )
  const { access_token, error } = members
  const { headers } = answer
  let { status } = answer
  // some servers tell errors with 200
  if (access_token === undefined)
    return withMembers({ status: typeof error === 'string' ? 400 : status, headers }, members)
  if (error !== undefined) throw unfit('has both an access token and an error')
  if (typeof access_token === 'string' && !ACCESS_TOKEN.test(access_token))
    throw unfit('has an access token that no header can carry')
  if (status === 201) {
    bend('token_status_201', 'has the status 201')
    status = 200
  }
  if (members.token_type === undefined) {
    bend('missing_token_type', 'has no token_type')
    members.token_type = 'Bearer'
  }
  if (members.expires_in !== undefined) {
    const seconds = secondsOf(members.expires_in)
    if (seconds === undefined && !isLenient) throw unfit('has an expires_in that is no lifetime')
    members.expires_in = seconds
  }
  return withMembers({ status, headers }, members)
}
