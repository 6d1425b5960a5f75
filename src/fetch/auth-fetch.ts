import { judgeAnswer, type Verdict } from '../core/challenge.ts'
import { type Destination, findDestination } from '../core/destination.ts'
import type { Emit } from '../core/events.ts'
import type { Presentation } from '../core/extension.ts'
import type { Clock, EpochMs, Fetch } from '../core/ports.ts'
import { abortable, pause } from '../core/waiting.ts'
import { ConfigurationError, LatchkeyError } from '../errors.ts'
import { holdBack, keepBodyOf, letGo, takeOne } from './body.ts'
import { type Arguments, bearer, createCallReader, isOpen, readTarget, withHeaders } from './call.ts'

/** What the fetch part asks of the refresh part. `resource`: for one API of `resources`. */
export interface AccessTokens {
  /** The session as this realm knows it: `ready` and `acquire` are about it. */
  sessionId(): string | undefined
  ready(resource: string | undefined): string | undefined
  /** @param options.sessionId rejects where another session has taken the place of this one. */
  acquire(options: {
    rejected?: string
    resource?: string
    sessionId?: string
    signal?: AbortSignal | null
  }): Promise<string>
  /** When the refresh was begun that brought the newest access tokens; 0 where it was somebody else's. */
  begunAt(): EpochMs
}

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
/** How long the body of an answer may take that a keepalive request waits for. */
const DRAIN_MS = 1000

/**
 * `fetch`, plus the access token on requests to allowed origins. After a 401 that a new token can cure: one refresh,
 * one replay. Everything else is passed through as `fetch` would.
 */
export function createAuthFetch(ports: AuthFetchPorts): Fetch {
  const { send, tokens, presentation, emit, clock } = ports
  const reader = createCallReader()
  const addresses = new Map<string, Destination | undefined>()
  const futile = new Map<string, Futile>()
  /** What the last refresh for a 401 brought, until an API takes it. */
  let unproven: Futile | undefined

  /** Whether a new access token was tried against this very 401, or against all 401s, and did not help. */
  const isFutile = (endpoint: string, accessToken: string) =>
    [futile.get(endpoint), unproven].some(
      known => known?.accessToken === accessToken && clock.now() < known.until,
    )

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
    if (!read) return send(target.foreign ?? target.input, ...(args.slice(1) as [Arguments[1]]))
    if (!isOpen(read)) return send(read.input, read.init)
    const call = reader.own(read)
    const isKept = keepBodyOf(call)
    const { endpoint, resource } = destination
    const { init } = call
    const own = (typeof call.input === 'object' ? call.input : undefined) as Request | undefined
    const signal = (init?.signal === undefined ? own?.signal : init.signal) as AbortSignal | null | undefined
    const method = String(init?.method ?? own?.method ?? 'GET').toUpperCase()
    let wasSent = false
    /** The headers of the last send. */
    let sent: NonNullable<Arguments[1]>['headers']

    const sendWith = (headers: Readonly<Record<string, string>>, redirect?: RequestRedirect) => {
      const next = withHeaders(takeOne(call), headers, wasSent, redirect)
      wasSent = true
      sent = next[1]?.headers
      return send(...next)
    }

    /** Sends once more in place of an answer that then nobody reads. */
    const replace = async (answer: Response, resend: () => Promise<Response>): Promise<Response> => {
      if (!(init?.keepalive ?? own?.keepalive)) {
        answer.body?.cancel().catch(() => {}) // it may have broken off meanwhile
        return resend()
      }
      // the bytes under way with keepalive are few (Fetch standard, section 4.6): the first request has to be over
      await Promise.race([
        answer
          .clone()
          .arrayBuffer()
          .catch(() => {}),
        pause(clock, DRAIN_MS),
      ])
      return resend().catch(error => {
        if (error instanceof TypeError) return answer
        throw error
      })
    }

    const present = async (by: Presentation, accessToken: string, sessionId: string): Promise<Response> => {
      const mode = init?.redirect ?? own?.redirect ?? 'follow'
      const once = async () => {
        const headers = await by.headers({ method, url: endpoint }, accessToken, sessionId)
        // what is made for one URL must not go to another
        const response = await sendWith(headers, mode === 'follow' ? 'manual' : undefined)
        if (mode !== 'follow' || !isRedirect(response)) return response
        throw new ConfigurationError(
          `${endpoint} answers with a redirect, which is not followed with DPoP: a proof is for one URL (RFC 9449 section 4.2). Call the URL that it leads to.`,
        )
      }
      const response = await once()
      if (!by.answered(endpoint, response) || !isKept) return response
      const second = await replace(response, once)
      by.answered(endpoint, second)
      return second
    }

    const judge = ({ status, redirected, url, headers }: Response): Verdict => {
      // where a redirect led elsewhere, fetch took the token off
      if ((status !== 401 && status !== 403) || (redirected && !isSamePlace(destinationOf(url), destination)))
        return { do: 'pass' }
      const texts = [...new Headers(sent).values(), target.address.split('?')[1], init?.body]
      return judgeAnswer(status, headers.get('www-authenticate'), texts.map(toText))
    }

    const deliver = (accessToken: string, sessionId = '', replay = false) => {
      emit({ type: 'api-request', method, url: endpoint, replay })
      return presentation ? present(presentation, accessToken, sessionId) : sendWith(bearer(accessToken))
    }

    /** Tells what came. @returns whether another access token may help. */
    const conclude = (response: Response, accessToken: string): boolean => {
      const { status } = response
      const verdict = judge(response)
      emit({ type: 'api-response', status, url: endpoint, error: verdict.error })
      if (status !== 401 && unproven?.accessToken === accessToken) unproven = undefined
      if (verdict.do === 'step-up') {
        emit({ type: 'step-up-required', url: endpoint, error: verdict.error, ...verdict.stepUp })
      }
      return verdict.do === 'refresh'
    }

    try {
      let sessionId = tokens.sessionId()
      let accessToken = tokens.ready(resource)
      if (accessToken === undefined || presentation) holdBack(call, isKept)
      if (accessToken === undefined) {
        await abortable(ports.started(), signal)
        sessionId ??= tokens.sessionId()
        accessToken = await tokens.acquire({ resource, sessionId, signal })
      }
      const response = await deliver(accessToken, sessionId)
      if (!conclude(response, accessToken)) return response
      if (!isKept) {
        emit({ type: 'body-not-replayable', method, url: endpoint })
        markNotReplayable(response)
      }
      if (isFutile(endpoint, accessToken)) return response

      const refusedAt = clock.now()
      let renewed: string
      try {
        renewed = await tokens.acquire({ rejected: accessToken, resource, sessionId, signal })
      } catch (failure) {
        // the server's own answer says more than ours, unless it is the caller who gave up
        if (failure instanceof LatchkeyError) return response
        throw failure
      }
      if (!isKept || renewed === accessToken) return response
      const until = clock.now() + (tokens.begunAt() < refusedAt ? FUTILE.olderMs : FUTILE.ms)
      unproven = longest(unproven, { accessToken: renewed, until })
      const replayed = await replace(response, () => deliver(renewed, sessionId, true))
      if (replayed === response) return response // it could not be sent once more
      conclude(replayed, renewed)
      if (replayed.status === 401) {
        if (futile.size >= FUTILE.most) futile.clear()
        futile.set(endpoint, longest(futile.get(endpoint), { accessToken: renewed, until }))
        emit({ type: 'refresh-futile', url: endpoint })
      }
      return replayed
    } catch (error) {
      letGo(call, error)
      throw error
    } finally {
      if (call.owned) letGo(call)
    }
  }
  // as the platform's: neither is to be seen from a function that takes what it gets
  return Object.defineProperties(authFetch, { name: { value: 'fetch' }, length: { value: 1 } })
}

const isRedirect = ({ type, status, headers }: Response): boolean =>
  type === 'opaqueredirect' || (status >= 300 && status < 400 && headers.has('location'))

const originOf = (to: Destination | undefined) => to && new URL(to.endpoint).origin

const isSamePlace = (to: Destination | undefined, from: Destination): boolean =>
  to?.resource === from.resource && originOf(to) === originOf(from)

/** What of a call is a text that its answer may repeat. */
const toText = (value: unknown): string =>
  typeof value === 'string' || value instanceof URLSearchParams ? String(value) : ''

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
