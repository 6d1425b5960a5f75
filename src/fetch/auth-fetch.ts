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
  /** The URLs that requests to APIs with a token of their own begin with. */
  readonly resources: readonly string[]
  /** How access tokens are put on requests. Default: as Bearer. */
  readonly presentation: Presentation | undefined
  /** What relative URLs are resolved against. */
  baseUrl(): string | undefined
  readonly emit: Emit
  readonly warn: Warn
  readonly clock: Clock
  /** Settles when the store has been read once. */
  started(): Promise<unknown>
  /**
   * What a 401 or 403 leads to.
   * @param header its `WWW-Authenticate`.
   * @param sent texts of the request: nothing of them is repeated.
   */
  judge(status: number, header: string | null, sent: readonly unknown[]): Promise<Verdict>
}

/** How long the body of an answer may take that a keepalive request waits for. */
const DRAIN_MS = 1000
/** How many addresses are remembered with what they are. */
const ADDRESSES = 200

/**
 * `fetch`, plus the access token on requests to allowed origins. After a 401 that a new token can cure: one refresh,
 * one replay. Everything else is passed through as `fetch` would.
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
    // what is relative depends on the page
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
  // as the platform's: neither is to be seen from a function that takes what it gets
  return Object.defineProperties(authFetch, { name: { value: 'fetch' }, length: { value: 1 } })
}

/** A developer who has forgotten an origin sees bare 401s, unless the call was to have no access token of ours. */
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

/** What becomes `undefined` where latchkey itself has failed. The abort of a caller is passed on. */
const orNone = <T>(work: Promise<T>): Promise<T | undefined> =>
  work.catch(error => {
    if (error instanceof LatchkeyError) return undefined
    throw error
  })

/** Sends one call of `fetch`, as often as it must be. */
function createSender({ send, presentation, emit, clock }: AuthFetchPorts, call: Call, url: string) {
  const isKept = keepBodyOf(call)
  const method = String(memberOf(call, 'method') ?? 'GET').toUpperCase()

  let sent: HeadersInit | undefined

  const sendWith = (headers: Readonly<Record<string, string>>, redirect?: RequestRedirect) => {
    const next = withHeaders(takeOne(call), headers, redirect)
    sent = next[1]?.headers
    return send(...next)
  }

  /** Sends once more in place of an answer that then nobody reads. */
  const replace = async (answer: Response, resend: () => Promise<Response>): Promise<Response> => {
    if (!memberOf(call, 'keepalive')) {
      answer.body?.cancel().catch(() => {}) // it may have broken off meanwhile
      return resend()
    }
    // the bytes under way with keepalive are few (Fetch standard, section 4.6): the first request has to be over
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
      // what is made for one URL must not go to another
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
    /** Of the last send. */
    sentHeaders: () => sent,
    replace,
    deliver(accessToken: string, sessionId = '', replay = false) {
      emit({ type: 'api-request', method, url, replay })
      return presentation ? present(presentation, accessToken, sessionId) : sendWith(bearer(accessToken))
    },
  }
}

/** Sends a call with the access token. After a 401 that a new one may cure: one refresh, one replay. */
async function exchange(
  ports: AuthFetchPorts,
  call: Call,
  { endpoint: url, resource }: Destination,
  futility: Futility,
  /** Whether an answer of this URL is about the access token: where a redirect led elsewhere, fetch took it off. */
  isHere: (url: string) => boolean,
  query: string | undefined,
): Promise<Response> {
  const { tokens, presentation, emit, clock } = ports
  const { isKept, method, sentHeaders, replace, deliver } = createSender(ports, call, url)
  const signal = memberOf(call, 'signal')

  const ask = (error: string, stepUp: StepUp) => emit({ type: 'step-up-required', url, error, ...stepUp })
  /** Reports an answer. @returns what it leads to. */
  const conclude = async (response: Response, accessToken: string): Promise<Verdict | undefined> => {
    const { status, headers } = response
    if (status !== 401) futility.accepted(accessToken)
    let verdict: Verdict | undefined
    if ((status === 401 || status === 403) && (!response.redirected || isHere(response.url))) {
      const sent = [...new Headers(sentHeaders()).values(), query, call.init.body]
      // where what judges it could not be loaded, the answer is the caller's
      verdict = await orNone(abortable(ports.judge(status, headers.get('www-authenticate'), sent), signal))
    }
    emit({ type: 'api-response', status, url, error: verdict?.error })
    if (verdict?.do === 'step-up') ask(verdict.error, verdict.stepUp)
    return verdict
  }
  /** Reports what the API asks for where another access token does not help. */
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
  // the server's own answer says more than the failure of a refresh
  const renewed = await orNone(tokens.acquire({ rejected: accessToken, resource, sessionId, signal }))
  if (!renewed) askInstead(verdict)
  if (!isKept || !renewed || renewed === accessToken) return response
  const until = clock.now() + (tokens.begunAt() < refusedAt ? FUTILE.olderMs : FUTILE.ms)
  futility.note(UNPROVEN, renewed, until)
  const replayed = await replace(response, () => deliver(renewed, sessionId, true))
  if (replayed === response) return response // it could not be sent once more
  askInstead(await conclude(replayed, renewed))
  if (replayed.status === 401) {
    futility.note(url, renewed, until)
    emit({ type: 'refresh-futile', url })
  }
  return replayed
}

/**
 * How many endpoints are remembered whose 401 a new access token did not cure, and for how long. One that was asked for
 * before the 401, or by somebody else, may have been revoked with the one that was refused: it counts for a shorter time.
 */
const FUTILE = { most: 100, ms: 300_000, olderMs: 30_000 }
/** In place of an endpoint: the access token that the last refresh for a 401 brought, until an API accepts it. */
const UNPROVEN = ''

type Futility = ReturnType<typeof createFutility>

/** Remembers which access tokens were tried against a 401 and did not help. */
function createFutility(clock: Clock) {
  const tried = new Map<string, { readonly accessToken: string; readonly until: EpochMs }>()
  return {
    /** Whether this access token was tried against the 401 of this endpoint, or of any, and did not help. */
    has: (endpoint: string, accessToken: string) =>
      [endpoint, UNPROVEN].some(key => {
        const known = tried.get(key)
        return known?.accessToken === accessToken && clock.now() < known.until
      }),
    note(key: string, accessToken: string, until: EpochMs) {
      const known = tried.get(key)
      // of calls that met the same at the same time, the one that knows most counts
      if (known?.accessToken === accessToken && known.until > until) return
      if (tried.size >= FUTILE.most) tried.clear()
      tried.set(key, { accessToken, until })
    },
    accepted(accessToken: string) {
      if (tried.get(UNPROVEN)?.accessToken === accessToken) tried.delete(UNPROVEN)
    },
  }
}

/** Read as `response.latchkey?.bodyNotReplayable`. */
const markNotReplayable = (response: Response) =>
  Reflect.defineProperty(response, 'latchkey', { value: Object.freeze({ bodyNotReplayable: true }) })
