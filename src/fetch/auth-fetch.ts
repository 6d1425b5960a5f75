import type { StepUp, Verdict } from '../core/challenge.ts'
import { type Destination, findDestination } from '../core/destination.ts'
import type { Emit, Warn } from '../core/events.ts'
import type { Presentation } from '../core/extension.ts'
import type { AccessTokens, Clock, EpochMs, Fetch } from '../core/ports.ts'
import { abortable, pause } from '../core/waiting.ts'
import { LatchkeyError } from '../errors.ts'
import { cancelBody, holdBack, keepBodyOf, takeOne } from './body.ts'
import {
  type Arguments,
  bearer,
  type Call,
  createCallReader,
  isOpen,
  memberOf,
  readTarget,
  type Target,
  tried,
  withHeaders,
} from './call.ts'

export interface AuthFetchPorts {
  readonly send: Fetch
  readonly tokens: AccessTokens
  readonly allowedOrigins: ReadonlySet<string>
  /** The base URLs of the APIs that have their own access token. */
  readonly resources: readonly string[]
  /** Adds access tokens to requests. Default: as Bearer. */
  readonly presentation: Presentation | undefined
  /** The URL that relative URLs are resolved against. */
  baseUrl(): string | undefined
  readonly emit: Emit
  readonly warn: Warn
  readonly clock: Clock
  /** Settles when the store has been read once. */
  started(): Promise<unknown>
  /**
   * Decides what to do about a 401 or 403.
   * @param header the response's `WWW-Authenticate`.
   * @param sent texts of the request. The verdict repeats nothing of them.
   */
  judge(status: number, header: string | null, sent: readonly unknown[]): Promise<Verdict>
}

/** How long the replay of a keepalive request waits for the body of the first response. */
const DRAIN_MS = 1000
/** The most addresses whose destination is remembered. */
const ADDRESSES = 200

/**
 * `fetch` that adds the access token to requests to allowed origins. If a new token can cure a 401, it refreshes once and
 * replays the request once. Everything else behaves like `fetch`.
 */
export function createAuthFetch(ports: AuthFetchPorts): Fetch {
  const { send } = ports
  const reader = createCallReader()
  const futility = createFutility(ports.clock)
  const addresses = new Map<string, Destination | undefined>()

  const destinationOf = (address: string): Destination | undefined => {
    if (addresses.has(address)) return addresses.get(address)
    const found = findDestination(address, ports.baseUrl(), ports)
    if (addresses.size >= ADDRESSES) addresses.clear()
    // a relative URL depends on the page
    if (/^https?:/i.test(address)) addresses.set(address, found)
    return found
  }

  const authFetch = async (...args: Arguments): Promise<Response> => {
    if (!args.length) return send(...args)
    const target = readTarget(args[0])
    const destination = destinationOf(target.address)
    const read = destination && reader.read(target, args[1])
    if (!read) {
      const response = await send(target.foreign ?? target.input, ...(args.slice(1) as [Arguments[1]]))
      if (!destination && response?.status === 401) warnOf401(ports, target, args[1])
      return response
    }
    if (!isOpen(read)) return send(read.input, args[1] && read.init)
    const call = reader.own(read)
    const isHere = (url: string) =>
      destinationOf(url)?.resource === destination.resource &&
      url.startsWith(new URL('/', destination.endpoint).href)
    try {
      return await exchange(ports, call, destination, futility, isHere, target.address.split('?')[1])
    } catch (error) {
      cancelBody(call, error)
      throw error
    } finally {
      if (call.owned) cancelBody(call)
    }
  }
  // like the platform's `fetch`: rest parameters would give it another name and length
  return Object.defineProperties(authFetch, { name: { value: 'fetch' }, length: { value: 1 } })
}

/** Warns a developer who forgot to allow an origin. A call with its own `Authorization` header needs no access token. */
function warnOf401(
  { tokens, warn, baseUrl }: AuthFetchPorts,
  { input, address }: Target,
  init: Arguments[1],
): void {
  if (!tokens.sessionId()) return
  const headers = tried(() => new Headers(init?.headers ?? (input as Partial<Request>).headers))
  const origin = tried(() => new URL(address, baseUrl()).origin)
  if (!origin || !headers || headers.has('authorization')) return
  const message = `${origin} answered 401. latchkey sent it no access token, because it is in neither "allowedOrigins" nor "resources".`
  warn('origin_not_allowed', message)
}

/** Turns latchkey's own failures into `undefined`. Other errors, such as the caller's abort, pass through. */
const orNone = <T>(work: Promise<T>): Promise<T | undefined> =>
  work.catch(error => {
    if (error instanceof LatchkeyError) return undefined
    throw error
  })

/** Sends one call of `fetch`, more than once if necessary. */
function createSender({ send, presentation, emit, clock }: AuthFetchPorts, call: Call, url: string) {
  const isKept = keepBodyOf(call)
  const method = String(memberOf(call, 'method') ?? 'GET').toUpperCase()

  let sent: HeadersInit | undefined

  const sendWith = (headers: Readonly<Record<string, string>>, redirect?: RequestRedirect) => {
    const next = withHeaders(takeOne(call), headers, redirect)
    sent = next[1]?.headers
    return send(...next)
  }

  /** Sends the request again and discards the first response. */
  const replace = async (answer: Response, resend: () => Promise<Response>): Promise<Response> => {
    if (!memberOf(call, 'keepalive')) {
      answer.body?.cancel().catch(() => {}) // the connection may already be broken
      return resend()
    }
    // browsers limit the bytes of keepalive requests in flight (Fetch standard, section 4.6): let the first request finish
    const drained = answer.clone().arrayBuffer()
    await Promise.race([drained.catch(() => {}), pause(clock, DRAIN_MS)])
    return resend().catch(error => {
      if (error instanceof TypeError) return answer
      throw error
    })
  }

  const present = async (by: Presentation, accessToken: string, sessionId: string): Promise<Response> => {
    const redirect = memberOf(call, 'redirect') ?? 'follow'
    let isOutdated = false
    const once = async () => {
      const headers = await by.headers({ method, url }, accessToken, sessionId)
      // a proof for one URL must not follow a redirect to another
      const response = await sendWith(headers, redirect === 'follow' ? 'manual' : redirect)
      isOutdated = by.answered(url, response, redirect)
      return response
    }
    const response = await once()
    return isOutdated && isKept ? replace(response, once) : response
  }

  return {
    isKept,
    method,
    /** The headers of the last request. */
    sentHeaders: () => sent,
    replace,
    deliver(accessToken: string, sessionId = '', replay = false) {
      emit({ type: 'api-request', method, url, replay })
      return presentation ? present(presentation, accessToken, sessionId) : sendWith(bearer(accessToken))
    },
  }
}

/** Sends a call with the access token. If a new token may cure a 401, it refreshes once and replays the call once. */
async function exchange(
  ports: AuthFetchPorts,
  call: Call,
  { endpoint: url, resource }: Destination,
  futility: Futility,
  /** Whether a response from this URL is about the access token: fetch removes it if a redirect leads to another origin. */
  isHere: (url: string) => boolean,
  query: string | undefined,
): Promise<Response> {
  const { tokens, presentation, emit, clock } = ports
  const { isKept, method, sentHeaders, replace, deliver } = createSender(ports, call, url)
  const signal = memberOf(call, 'signal')

  const ask = (error: string, stepUp: StepUp) => emit({ type: 'step-up-required', url, error, ...stepUp })
  /** Reports a response. @returns what to do about it. */
  const conclude = async (response: Response, accessToken: string): Promise<Verdict | undefined> => {
    const { status, headers } = response
    if (status !== 401) futility.accepted(accessToken)
    let verdict: Verdict | undefined
    if ((status === 401 || status === 403) && (!response.redirected || isHere(response.url))) {
      const sent = [...new Headers(sentHeaders()).values(), query, call.init.body]
      // if the code that judges it cannot be loaded, the caller gets the response
      verdict = await orNone(abortable(ports.judge(status, headers.get('www-authenticate'), sent), signal))
    }
    emit({ type: 'api-response', status, url, error: verdict?.error })
    if (verdict?.do === 'step-up') ask(verdict.error, verdict.stepUp)
    return verdict
  }
  /** Reports the step-up that the API asks for if another access token does not help. */
  const askInstead = (verdict: Verdict | undefined) => {
    if (verdict?.do === 'refresh' && verdict.orElse) ask(verdict.error ?? '', verdict.orElse)
  }

  let sessionId = tokens.sessionId()
  let accessToken = tokens.ready(resource)
  if (accessToken === undefined || presentation) holdBack(call, isKept)
  if (accessToken === undefined) {
    await abortable(ports.started(), signal)
    sessionId ??= tokens.sessionId()
    accessToken = await tokens.acquire({ resource, sessionId, signal })
  }
  const response = await deliver(accessToken, sessionId)
  const verdict = await conclude(response, accessToken)
  if (verdict?.do !== 'refresh') return response
  if (!isKept) {
    emit({ type: 'body-not-replayable', method, url })
    markNotReplayable(response)
  }
  if (futility.has(url, accessToken)) {
    askInstead(verdict)
    return response
  }

  const refusedAt = clock.now()
  // if the refresh fails, return the API's response, which says more than the refresh error
  const renewed = await orNone(tokens.acquire({ rejected: accessToken, resource, sessionId, signal }))
  if (!renewed) askInstead(verdict)
  if (!isKept || !renewed || renewed === accessToken) return response
  const until = clock.now() + (tokens.begunAt() < refusedAt ? FUTILE.olderMs : FUTILE.ms)
  futility.note(UNPROVEN, renewed, until)
  const replayed = await replace(response, () => deliver(renewed, sessionId, true))
  if (replayed === response) return response // the replay could not be sent
  askInstead(await conclude(replayed, renewed))
  if (replayed.status === 401) {
    futility.note(url, renewed, until)
    emit({ type: 'refresh-futile', url })
  }
  return replayed
}

/**
 * How many endpoints to remember whose 401 a new access token did not cure, and for how many milliseconds. `olderMs` is for
 * a refresh that began before the 401: its access token may have been revoked together with the rejected one.
 */
const FUTILE = { most: 100, ms: 300_000, olderMs: 30_000 }
/** A key in place of an endpoint: for the access token of the last refresh after a 401, until an API accepts it. */
const UNPROVEN = ''

type Futility = ReturnType<typeof createFutility>

/** Remembers which access tokens did not cure a 401. */
function createFutility(clock: Clock) {
  const tried = new Map<string, { readonly accessToken: string; readonly until: EpochMs }>()
  return {
    /** Whether this access token did not cure this endpoint's 401, or no API has accepted it since its refresh. */
    has: (endpoint: string, accessToken: string) =>
      [endpoint, UNPROVEN].some(key => {
        const known = tried.get(key)
        return known?.accessToken === accessToken && clock.now() < known.until
      }),
    note(key: string, accessToken: string, until: EpochMs) {
      const known = tried.get(key)
      // when several calls note the same token, the longest time counts
      if (known?.accessToken === accessToken && known.until > until) return
      if (tried.size >= FUTILE.most) tried.clear()
      tried.set(key, { accessToken, until })
    },
    accepted(accessToken: string) {
      if (tried.get(UNPROVEN)?.accessToken === accessToken) tried.delete(UNPROVEN)
    },
  }
}

/** The app reads it as `response.latchkey?.bodyNotReplayable`. */
const markNotReplayable = (response: Response) =>
  Reflect.defineProperty(response, 'latchkey', { value: Object.freeze({ bodyNotReplayable: true }) })
