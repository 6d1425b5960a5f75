import { lentPartsOf } from '../actions/context.ts'
import type { Client } from '../core/client.ts'
import { baseOf } from '../core/destination.ts'
import type { actionContext, Extension, ExtensionContext } from '../core/extension.ts'
import { accessTokenOf } from '../core/session.ts'
import { ConfigurationError } from '../errors.ts'

export type { Extension } from '../core/extension.ts'

/** One of the things that a client asks to be allowed (RFC 9396 section 2). */
export interface AuthorizationDetail {
  readonly type: string
  readonly [member: string]: unknown
}

const NAME = 'authorization_details'
/** How many sign-ins are remembered that asked for others than the app's own. */
const MOST = 5

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

/** The same text for the same detail, in whatever order its members stand. */
const canonical = (detail: unknown): string =>
  JSON.stringify(detail, (_, value) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )

/** The types of what stands in one list and not in the other. */
const missingIn = (list: readonly unknown[], from: readonly AuthorizationDetail[]): string[] => {
  const there = new Set(list.map(canonical))
  return from.filter(one => !there.has(canonical(one))).map(({ type }) => type)
}

/**
 * @param isRefresh less is usual then: an access token may be for one API only (RFC 9396 section 6).
 * @returns what is to be told, or nothing.
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
  /** Asks for them at token requests too (RFC 9396 section 6). Default false: only at the sign-in. */
  tokenRequests?: boolean
}

/**
 * Asks for authorization details at every sign-in (RFC 9396). One sign-in asks for others by
 * `signIn({ authorizationParameters: { authorization_details: JSON.stringify([…]) } })`. Where others are granted than
 * were asked for, or the server does not say which, an event `warning` about `authorization_details` tells.
 * @throws ConfigurationError for what is not a list of objects with a `type`.
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
            `${server.issuer} does not know authorization details of type ${unknown.type}; it knows ${supported}.`,
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
        if (isSame && granted === undefined) return // what was granted stays as it is
        const known = isSame ? session.tokens.authorizationDetails : undefined
        const expected = Array.isArray(known) ? known : parse(await asked.at(sessionId))
        const message = compare(expected, granted, isSame)
        if (message) context.warn(NAME, message)
      },
    }
  }
}

/** What was asked for at sign-ins that asked for others than the app's own: it has to survive the redirect. */
function askedFor({ keyValue, prefix }: ExtensionContext, own: string) {
  const key = `${prefix} authorization details`
  const read = (stored: unknown) => Object.entries({ ...(stored as Record<string, string> | undefined) })
  return {
    keep: (sessionId: string, text: string) =>
      keyValue.update(key, stored =>
        Object.fromEntries([...read(stored).slice(1 - MOST), [sessionId, text]]),
      ),
    async at(sessionId: string): Promise<string> {
      const stored = await keyValue.get(key).catch(() => undefined) // a comparison is worth no failure
      return new Map(read(stored)).get(sessionId) ?? own
    },
  }
}

/**
 * What was granted of authorization details (RFC 9396 section 7), also after a reload.
 * @param options.resource of the access token for one API of `resources`, by its name there. Default: the general one.
 * @returns `undefined` when nobody is signed in, or the server did not say.
 */
export async function grantedAuthorizationDetails(
  client: Pick<Client, typeof actionContext>,
  { resource }: { resource?: string } = {},
): Promise<readonly AuthorizationDetail[] | undefined> {
  const { calls, current } = lentPartsOf(client)
  await calls.started()
  const session = current()
  const name = resource === undefined ? undefined : baseOf(resource)
  const granted = session && accessTokenOf(session, name)?.authorizationDetails
  return Array.isArray(granted) ? structuredClone(granted.filter(isDetail)) : undefined
}
