import type { HostedRefresh } from '../core/ports.ts'

/** Changes when a page and a host of different versions would misunderstand each other. */
export const PROTOCOL = 1

/** What a page sends its host, with a port for the answers. No token is in it. */
export interface HostRequest extends HostedRefresh {
  readonly latchkey: typeof PROTOCOL
  readonly database: string
  /** The options of the client that can be sent. Two clients with the same ones share their refreshes. */
  readonly options: Readonly<Record<string, unknown>>
  /** The names of those that cannot, because there are functions in them: the worker's file has to bring its own. */
  readonly own: readonly string[]
}

/** What the host answers, on that port. */
export type HostAnswer =
  /** It refreshes. It holds the Web Lock of this name for as long as it lives. */
  | { readonly type: 'taken'; readonly lock: string }
  /** It cannot work for this client. */
  | { readonly type: 'unfit'; readonly why: string }
  /** What came of it is in the store. */
  | { readonly type: 'done' }

/** Options that a host has its own of, or does without. */
const PAGE_ONLY = new Set(['host', 'store', 'userAgent', 'postLogoutRedirectUri', 'navigate', 'logger'])
/** Options that hold functions, which no message can carry. */
const OWN = ['extensions', 'provider', 'clientAuthentication', 'grant', 'fetch', 'clock'] as const
export type OwnOption = (typeof OWN)[number]

const isOwn = (name: string): boolean => OWN.some(own => own === name)

/** The names of those options that hold functions, `extensions` with their number. */
export const namesOfOwn = (options: object): string[] =>
  Object.entries(options)
    .filter(([name, value]) => isOwn(name) && value !== undefined && [value].flat().length > 0)
    .map(([name, value]) => (Array.isArray(value) ? `${name}(${value.length})` : name))
    .sort()

/** The options that can be sent, in an order that does not depend on the app's. */
export const sendable = (options: object, base: string | undefined): Record<string, unknown> => {
  const entries = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !PAGE_ONLY.has(name) && !isOwn(name),
  )
  const sent: Record<string, unknown> = Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  const { redirectUri } = sent
  if (base && typeof redirectUri === 'string' && URL.canParse(redirectUri, base))
    sent.redirectUri = new URL(redirectUri, base).href
  return structuredClone(sent)
}
