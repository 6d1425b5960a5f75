import { parseUrl } from '../core/destination.ts'
import type { HostedRefresh } from '../core/ports.ts'

/** The version of the protocol. It changes when a page and a host of different versions would misunderstand each other. */
export const PROTOCOL = 1

/** What a page asks its host to do. */
export type HostTask =
  | ({ readonly type: 'refresh' } & HostedRefresh)
  | { readonly type: 'sign-out'; readonly sessionId: string }

/** A message from a page to its host. A port for the answers comes with it. It contains no token. */
export interface HostRequest {
  readonly latchkey: typeof PROTOCOL
  readonly task: HostTask
  readonly database: string
  /** The client's options that can be sent. Clients with equal options share their refreshes. */
  readonly options: Readonly<Record<string, unknown>>
  /** The names of the options that cannot be sent because they contain functions. The worker's file must supply them. */
  readonly own: readonly string[]
}

/** The host's answers on that port. */
export type HostAnswer =
  /** The host does the work. For a sign-out, it has read the session. It holds the Web Lock of this name for its whole life. */
  | { readonly type: 'taken'; readonly lock: string }
  /** The host cannot work for this client. */
  | { readonly type: 'refused'; readonly why: string }
  /** The result is in the store. Without `taken` before it, there was nothing to do. */
  | { readonly type: 'done' }

/** Options of the page that a host does not use. */
const PAGE_ONLY = new Set(['host', 'store', 'userAgent', 'postLogoutRedirectUri', 'navigate', 'logger'])
/** Options that contain functions, which cannot be sent in a message. */
const UNSENDABLE_OPTIONS = [
  'extensions',
  'provider',
  'clientAuthentication',
  'grant',
  'fetch',
  'clock',
] as const
export type OwnOption = (typeof UNSENDABLE_OPTIONS)[number]

const isUnsendable = (name: string): boolean => UNSENDABLE_OPTIONS.some(one => one === name)

/** The names of the options that contain functions. A list is followed by its length. */
export const unsendableNames = (options: object): string[] =>
  Object.entries(options)
    .filter(([name, value]) => isUnsendable(name) && value !== undefined && [value].flat().length > 0)
    .map(([name, value]) => (Array.isArray(value) ? `${name}(${value.length})` : name))
    .sort()

/** The options that can be sent, sorted by name, so that the order in the app does not matter. */
export const sendable = (options: object, base: string | undefined): Record<string, unknown> => {
  const entries = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !PAGE_ONLY.has(name) && !isUnsendable(name),
  )
  const sent: Record<string, unknown> = Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  const { redirectUri } = sent
  const whole = base && parseUrl(redirectUri, base)
  if (whole) sent.redirectUri = whole.href
  return structuredClone(sent)
}
