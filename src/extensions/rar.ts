import { internalsOf } from '../actions/context.ts'
import type { Client } from '../core/client.ts'
import { baseOf } from '../core/destination.ts'
import type { actionContext, Extension, ExtensionContext } from '../core/extension.ts'
import { accessTokenOf } from '../core/session.ts'
import { ConfigurationError } from '../errors.ts'

export type { Extension } from '../core/extension.ts'

/** One permission to request, with its details (RFC 9396 section 2). */
export interface AuthorizationDetail {
  readonly type: string
  readonly [member: string]: unknown
}

const NAME = 'authorization_details'
/** The most sign-ins to remember that requested other details than the app's default. */
const MAX_STORED_SIGN_INS = 5

const isDetail = (value: unknown): value is AuthorizationDetail =>
  typeof (value as Partial<AuthorizationDetail> | null)?.type === 'string'

function parse(text: string): readonly AuthorizationDetail[] {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {}
  if (Array.isArray(list) && list.length && list.every(one => isDetail(one) && one.type)) return list
  throw new ConfigurationError(
    `"${NAME}" must be a list of objects that have a "type" each, such as [{ type: 'payment_initiation' }].`,
  )
}

/** Serializes a detail. The order of its members does not matter. */
const canonical = (detail: unknown): string =>
  JSON.stringify(detail, (_, value) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )

/** The types of the details in `from` that `list` does not contain. */
const missingIn = (list: readonly unknown[], from: readonly AuthorizationDetail[]): string[] => {
  const there = new Set(list.map(canonical))
  return from.filter(one => !there.has(canonical(one))).map(({ type }) => type)
}

/**
 * Compares the requested with the granted details.
 * @param isRefresh whether fewer details are normal: a refreshed access token may be for one API only (RFC 9396 section 6).
 * @returns a warning, or `undefined` if they are the same.
 */
function compare(
  asked: readonly AuthorizationDetail[],
  granted: unknown,
  isRefresh: boolean,
): string | undefined {
  if (granted === undefined) return 'The server does not say which authorization details it granted.'
  if (!Array.isArray(granted) || !granted.every(isDetail))
    return 'The granted authorization details are no list.'
  const less = isRefresh ? [] : missingIn(granted, asked)
  const more = missingIn(asked, granted)
  if (!less.length && !more.length) return undefined
  const list = (types: string[]) => [...new Set(types)].join(', ').slice(0, 100) || 'none'
  return `Granted were other authorization details than asked for: not as asked ${list(less)}, added or changed ${list(more)}. Look at grantedAuthorizationDetails().`
}

export interface AuthorizationDetailsOptions {
  /** Whether to send them with token requests too (RFC 9396 section 6). Default false: only with the sign-in. */
  tokenRequests?: boolean
}

/**
 * Requests authorization details at every sign-in (RFC 9396). To request others at one sign-in, call
 * `signIn({ authorizationParameters: { authorization_details: JSON.stringify([…]) } })`. If the server grants other details,
 * or does not say which, latchkey emits an event `warning` about `authorization_details`.
 * @throws ConfigurationError if `details` is not a list of objects with a `type`.
 */
export function authorizationDetails(
  details: readonly AuthorizationDetail[],
  { tokenRequests = false }: AuthorizationDetailsOptions = {},
): Extension {
  const own = JSON.stringify(details) // read once
  parse(own)
  return context => {
    const asked = askedFor(context, own)
    return {
      async authorizationRequest({ server, sessionId, parameters }) {
        const text = parameters.get(NAME) ?? own
        const supported = server.authorization_details_types_supported
        const unknown = parse(text).find(({ type }) => Array.isArray(supported) && !supported.includes(type))
        if (unknown) {
          throw new ConfigurationError(
            `${server.issuer} does not know authorization details of type ${unknown.type}. Use one of: ${supported}.`,
          )
        }
        if (text !== own) await asked.keep(sessionId, text)
        parameters.set(NAME, text)
      },
      ...(tokenRequests && {
        tokenRequest: async <T>(sessionId: string, send: (options: object) => Promise<T>) =>
          send({ additionalParameters: { [NAME]: await asked.at(sessionId) } }),
      }),
      async tokenResponse(sessionId, response) {
        const { [NAME]: granted } = response
        const session = context.session()
        const isSame = session?.sessionId === sessionId
        if (isSame && granted === undefined) return // the granted details stay the same
        const known = isSame ? session.tokens.authorizationDetails : undefined
        const expected = Array.isArray(known) ? known : parse(await asked.at(sessionId))
        const message = compare(expected, granted, isSame)
        if (message) context.warn(NAME, message)
      },
    }
  }
}

/** Stores the details that a sign-in requested instead of the app's default, so that they survive the redirect. */
function askedFor({ keyValue, prefix }: ExtensionContext, own: string) {
  const key = `${prefix} authorization details`
  const read = (stored: unknown) => Object.entries({ ...(stored as Record<string, string> | undefined) })
  return {
    keep: (sessionId: string, text: string) =>
      keyValue.update(key, stored =>
        Object.fromEntries([...read(stored).slice(1 - MAX_STORED_SIGN_INS), [sessionId, text]]),
      ),
    async at(sessionId: string): Promise<string> {
      const stored = await keyValue.get(key).catch(() => undefined) // only a comparison needs it: it must not fail a sign-in
      return new Map(read(stored)).get(sessionId) ?? own
    },
  }
}

/**
 * Returns the granted authorization details (RFC 9396 section 7). They survive a reload.
 * @param options.resource the name of an API in `resources`. Default: the access token for `allowedOrigins`.
 * @returns `undefined` if nobody is signed in, or the server did not say.
 */
export async function grantedAuthorizationDetails(
  client: Pick<Client, typeof actionContext>,
  { resource }: { resource?: string } = {},
): Promise<readonly AuthorizationDetail[] | undefined> {
  const { calls, records } = internalsOf(client)
  await calls.started()
  const session = records().current
  const name = resource === undefined ? undefined : baseOf(resource)
  const granted = session && accessTokenOf(session, name)?.authorizationDetails
  return Array.isArray(granted) ? structuredClone(granted.filter(isDetail)) : undefined
}
