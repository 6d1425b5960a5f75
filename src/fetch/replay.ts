import { pause } from '../core/back-off.ts'
import { judgeAnswer, type StepUp, type Verdict } from '../core/challenge.ts'
import type { Emit, Warn } from '../core/events.ts'
import type { AccessTokens, Clock, EpochMs } from '../core/ports.ts'
import { type Arguments, type Call, memberOf, orNone, type Target, tried } from './call.ts'

/** How long the replay of a keepalive request waits for the body of the first response. */
const DRAIN_MS = 1000

export interface ReplayPorts {
  readonly tokens: AccessTokens
  readonly clock: Clock
  readonly emit: Emit
  readonly warn: Warn
  /** The URL that relative URLs are resolved against. */
  baseUrl(): string | undefined
}

/** Sends one call of `fetch`, more than once if necessary. */
export interface Sender {
  /** Whether its body can be sent again. */
  readonly isKept: boolean
  readonly method: string
  /** The headers of the last request. */
  sentHeaders(): HeadersInit | undefined
  deliver(accessToken: string, sessionId: string | undefined, replay?: boolean): Promise<Response>
}

/** A call that was sent with an access token. */
export interface Sent {
  readonly call: Call
  readonly sender: Sender
  /** Its URL without query and fragment, and its query. */
  readonly url: string
  readonly query: string | undefined
  /** The API of `resources` that it is for, if it is for one. */
  readonly resource: string | undefined
  readonly sessionId: string | undefined
  readonly signal: AbortSignal | null | undefined
  /** Whether a response from this URL is about the access token: fetch removes it if a redirect leads to another origin. */
  isHere(url: string): boolean
}

/** What latchkey does about a response that rejects an access token. */
export interface Replay {
  /** If a new token may cure a 401, it refreshes once and replays the call once. @returns the response for the caller. */
  follow(sent: Sent, response: Response, accessToken: string): Promise<Response>
  /** An API has accepted this access token. */
  accepted(accessToken: string): void
  /** Sends the request again and discards the first response. */
  replace(call: Call, answer: Response, resend: () => Promise<Response>): Promise<Response>
  /** Warns a developer who forgot to allow an origin. A call with its own `Authorization` header needs no access token. */
  warnOf401(target: Target, init: Arguments[1]): void
}

export function createReplay(ports: ReplayPorts): Replay {
  const { tokens, emit, clock } = ports
  const futility = createFutility(clock)

  const ask = (url: string, error: string, stepUp: StepUp) =>
    emit({ type: 'step-up-required', url, error, ...stepUp })
  /** Reports the step-up that the API asks for if another access token does not help. */
  const askInstead = (url: string, verdict: Verdict) => {
    if (verdict.do === 'refresh' && verdict.orElse) ask(url, verdict.error ?? '', verdict.orElse)
  }
  /** Reports a response. @returns what to do about it. */
  const conclude = ({ call, url, query, sender, isHere }: Sent, response: Response): Verdict => {
    const { status, headers } = response
    // the verdict repeats nothing of these
    const sent = [...new Headers(sender.sentHeaders()).values(), query, call.init.body]
    const verdict: Verdict =
      !response.redirected || isHere(response.url)
        ? judgeAnswer(status, headers.get('www-authenticate'), sent)
        : { do: 'pass' }
    emit({ type: 'api-response', status, url, error: verdict.error })
    if (verdict.do === 'step-up') ask(url, verdict.error, verdict.stepUp)
    return verdict
  }

  const replace: Replay['replace'] = async (call, answer, resend) => {
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

  return {
    async follow(sent, response, accessToken) {
      const { call, url, resource, sessionId, signal } = sent
      const { isKept, method, deliver } = sent.sender
      const verdict = conclude(sent, response)
      if (verdict.do !== 'refresh') return response
      if (!isKept) {
        emit({ type: 'body-not-replayable', method, url })
        markNotReplayable(response)
      }
      if (futility.has(url, accessToken)) {
        askInstead(url, verdict)
        return response
      }

      const refusedAt = clock.now()
      // if the refresh fails, return the API's response, which says more than the refresh error
      const renewed = await orNone(tokens.acquire({ rejected: accessToken, resource, sessionId, signal }))
      if (!renewed) askInstead(url, verdict)
      if (!isKept || !renewed || renewed === accessToken) return response
      const until = clock.now() + (tokens.refreshStartedAt() < refusedAt ? FUTILE.olderMs : FUTILE.ms)
      futility.note(UNPROVEN, renewed, until)
      const replayed = await replace(call, response, () => deliver(renewed, sessionId, true))
      if (replayed === response) return response // the replay could not be sent
      if (replayed.status !== 401) futility.accepted(renewed)
      askInstead(url, conclude(sent, replayed))
      if (replayed.status === 401) {
        futility.note(url, renewed, until)
        emit({ type: 'refresh-futile', url })
      }
      return replayed
    },

    accepted: futility.accepted,
    replace,

    warnOf401({ input, address }, init) {
      if (!tokens.sessionId()) return
      const headers = tried(() => new Headers(init?.headers ?? (input as Partial<Request>).headers))
      const origin = tried(() => new URL(address, ports.baseUrl()).origin)
      if (!origin || !headers || headers.has('authorization')) return
      const message = `${origin} answered 401. latchkey sent it no access token, because it is in neither "allowedOrigins" nor "resources".`
      ports.warn('origin_not_allowed', message)
    },
  }
}

/**
 * How many endpoints to remember whose 401 a new access token did not cure, and for how many milliseconds. `olderMs` is for
 * a refresh that began before the 401: its access token may have been revoked together with the rejected one.
 */
const FUTILE = { most: 100, ms: 300_000, olderMs: 30_000 }
/** A key in place of an endpoint: for the access token of the last refresh after a 401, until an API accepts it. */
const UNPROVEN = ''

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
