import type { Presentation } from '../core/capability.ts'
import { judgeAnswer } from '../core/challenge.ts'
import { type Destination, findDestination } from '../core/destination.ts'
import type { Emit } from '../core/events.ts'
import type { Clock, EpochMs, Fetch } from '../core/ports.ts'
import type { Resource } from '../core/resource.ts'
import { abortable } from '../core/time-limit.ts'
import { ConfigurationError, LatchkeyError } from '../errors.ts'
import {
  bearer,
  type Call,
  hasAuthorization,
  type Init,
  type Input,
  isRequest,
  settle,
  withHeaders,
} from './attach.ts'
import { keepForReplay, takeOne } from './replay.ts'

/** What the fetch part asks of the refresh part. `resource`: for one API of `resources`. */
export interface AccessTokens {
  ready(resource: string | undefined): string | undefined
  acquire(options: { rejected?: string; resource?: string; signal?: AbortSignal | null }): Promise<string>
  /** When the refresh was begun that brought the newest access tokens; 0 where it was somebody else's. */
  begunAt(): EpochMs
}

export interface AuthFetchPorts {
  readonly send: Fetch
  readonly tokens: AccessTokens
  readonly allowedOrigins: ReadonlySet<string>
  readonly resources: readonly Resource[]
  /** How access tokens are put on requests. Default: as Bearer. */
  readonly presentation: Presentation | undefined
  /** What relative URLs are resolved against. */
  baseUrl(): string | undefined
  readonly emit: Emit
  readonly clock: Clock
  /** Settles when the store has been read once. */
  started(): Promise<unknown>
}

/**
 * How many endpoints are remembered whose 401 a new access token did not cure, and for how long. One that was asked for
 * before the 401, or by somebody else, may have been revoked with the one that was refused: it counts for a shorter time.
 */
const FUTILE = { most: 100, ms: 300_000, olderMs: 30_000 }
/** How many addresses are remembered with what they are. */
const ADDRESSES = 200

/**
 * `fetch`, plus the access token on requests to allowed origins. After a 401 that a new token can cure: one refresh,
 * one replay. Everything else is passed through as `fetch` would.
 */
export function createAuthFetch(ports: AuthFetchPorts): Fetch {
  const { send, tokens, presentation, emit, clock } = ports
  const addresses = new Map<string, Destination | undefined>()
  const futile = new Map<string, Futile>()
  /** What the last refresh for a 401 brought, until an API takes it. */
  let unproven: Futile | undefined

  /** Whether a new access token was tried against this very 401, or against all 401s, and did not help. */
  const isFutile = (endpoint: string, accessToken: string) =>
    [futile.get(endpoint), unproven].some(
      known => known?.accessToken === accessToken && clock.now() < known.until,
    )

  const destinationOf = (input: Input): Destination | undefined => {
    const address = isRequest(input) ? input.url : String(input)
    if (addresses.has(address)) return addresses.get(address)
    const found = findDestination(address, ports.baseUrl(), ports)
    if (addresses.size >= ADDRESSES) addresses.clear()
    // what is relative depends on the page
    if (/^https?:/i.test(address)) addresses.set(address, found)
    return found
  }

  return async (called: Input, options?: Init) => {
    const destination = destinationOf(called)
    const call = destination && settle(called, options)
    if (!call) return send(called, options)
    if (hasAuthorization(call)) return send(...call)
    const [input, init] = call
    const { endpoint, resource } = destination
    const own = isRequest(input) ? input : undefined
    const signal = init?.signal === undefined ? own?.signal : init.signal
    const method = String(init?.method ?? own?.method ?? 'GET').toUpperCase()
    const kept = keepForReplay(call)

    const present = async (to: Call, accessToken: string): Promise<Response> => {
      if (!presentation) return send(...withHeaders(to, bearer(accessToken)))
      const mode = init?.redirect ?? own?.redirect ?? 'follow'
      for (let isSecond = false; ; isSecond = true) {
        const headers = await presentation.headers({ method, url: endpoint }, accessToken)
        // what is made for one URL must not go to another
        const response = await send(
          ...withHeaders(kept ? takeOne(kept) : to, headers, mode === 'follow' ? 'manual' : undefined),
        )
        if (mode === 'follow' && isRedirect(response)) {
          throw new ConfigurationError(
            `${endpoint} answers with a redirect, which is not followed with DPoP: a proof is for one URL (RFC 9449 section 4.2). Call the URL that it leads to.`,
          )
        }
        if (!presentation.answered(endpoint, response) || isSecond || !kept) return response
        response.body?.cancel().catch(() => {})
      }
    }

    const attempt = async (to: Call, accessToken: string, replay: boolean) => {
      emit({ type: 'api-request', method, url: endpoint, replay })
      const response = await present(to, accessToken)
      const { status, headers } = response
      // where a redirect has led away, it is another server that answers
      const isOurs = status < 400 || !response.redirected || destinationOf(response.url)
      const verdict = judgeAnswer(isOurs ? status : 0, headers.get('www-authenticate'))
      emit({ type: 'api-response', status, url: endpoint, error: verdict.error })
      if (status !== 401 && unproven?.accessToken === accessToken) unproven = undefined
      if (verdict.do === 'step-up') {
        emit({ type: 'step-up-required', url: endpoint, error: verdict.error, ...verdict.stepUp })
      }
      return { response, isCurable: verdict.do === 'refresh' }
    }

    let accessToken = tokens.ready(resource)
    let first = call
    if (accessToken === undefined) {
      if (kept) first = takeOne(kept) // what the caller changes meanwhile is not sent
      await abortable(ports.started(), signal)
      accessToken = await tokens.acquire({ resource, signal })
    }
    const { response, isCurable } = await attempt(first, accessToken, false)
    if (!isCurable) return response
    if (!kept) {
      emit({ type: 'body-not-replayable', method, url: endpoint })
      markNotReplayable(response)
    }
    if (isFutile(endpoint, accessToken)) return response

    const refusedAt = clock.now()
    let renewed: string
    try {
      renewed = await tokens.acquire({ rejected: accessToken, resource, signal })
    } catch (failure) {
      // the server's own answer says more than ours, unless it is the caller who gave up
      if (failure instanceof LatchkeyError) return response
      throw failure
    }
    if (!kept || renewed === accessToken) return response
    const until = clock.now() + (tokens.begunAt() < refusedAt ? FUTILE.olderMs : FUTILE.ms)
    unproven = longest(unproven, { accessToken: renewed, until })
    response.body?.cancel().catch(() => {}) // it may have broken off meanwhile
    const replayed = await attempt(kept, renewed, true)
    if (replayed.response.status === 401) {
      if (futile.size >= FUTILE.most) futile.clear()
      futile.set(endpoint, longest(futile.get(endpoint), { accessToken: renewed, until }))
      emit({ type: 'refresh-futile', url: endpoint })
    }
    return replayed.response
  }
}

const isRedirect = ({ type, status, headers }: Response): boolean =>
  type === 'opaqueredirect' || (status >= 300 && status < 400 && headers.has('location'))

interface Futile {
  readonly accessToken: string
  readonly until: EpochMs
}

/** Of calls that met the same at the same time, the one that knows most counts. */
const longest = (before: Futile | undefined, now: Futile): Futile =>
  before?.accessToken === now.accessToken && before.until > now.until ? before : now

/** Read as `response.latchkey?.bodyNotReplayable`. */
const markNotReplayable = (response: Response) =>
  Reflect.defineProperty(response, 'latchkey', { value: Object.freeze({ bodyNotReplayable: true }) })
