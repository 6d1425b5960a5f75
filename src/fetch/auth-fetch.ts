import { isAllowed, isConfidential } from '../core/allowed-origins.ts'
import { parseChallenges, tokenChallenge } from '../core/challenge.ts'
import type { Emit } from '../core/events.ts'
import type { Clock, Fetch } from '../core/ports.ts'
import { abortable } from '../core/time-limit.ts'
import { LatchkeyError } from '../errors.ts'
import { hasAuthorization, type Init, type Input, isRequest, settle, withToken } from './attach.ts'
import { keepForReplay } from './replay.ts'

/** What the fetch part asks of the refresh part. */
export interface AccessTokens {
  ready(): string | undefined
  acquire(options: { rejected?: string; signal?: AbortSignal | null }): Promise<string>
}

export interface AuthFetchPorts {
  readonly send: Fetch
  readonly tokens: AccessTokens
  readonly allowedOrigins: ReadonlySet<string>
  /** What relative URLs are resolved against. */
  baseUrl(): string | undefined
  readonly emit: Emit
  readonly clock: Clock
  /** Settles when the store has been read once. */
  started(): Promise<unknown>
}

/** How many endpoints are remembered whose 401 a new access token did not cure, and for how long. */
const FUTILE = { most: 100, ms: 300_000 }

/**
 * `fetch`, plus the access token on requests to allowed origins. After a 401 that a new token can cure: one refresh,
 * one replay. Everything else is passed through as `fetch` would.
 */
export function createAuthFetch(ports: AuthFetchPorts): Fetch {
  const { send, tokens, emit, clock } = ports
  const futile = new Map<string, { accessToken: string; until: number }>()
  /** What the last refresh for a 401 brought, and the last access token that an API took. */
  let provoked = { accessToken: '', until: 0 }
  let accepted: string | undefined

  /** Whether a new access token was tried against this very 401, or against all 401s, and did not help. */
  const isFutile = (endpoint: string, accessToken: string) =>
    [futile.get(endpoint), accessToken === accepted ? undefined : provoked].some(
      known => known?.accessToken === accessToken && clock.now() < known.until,
    )

  const target = (input: Input): URL | undefined => {
    const address = isRequest(input) ? input.url : String(input)
    try {
      const url = new URL(address, ports.baseUrl())
      return isAllowed(url, ports.allowedOrigins) && isConfidential(url) ? url : undefined
    } catch {
      return undefined // what is no URL at all is left to fetch, which has its own words for it
    }
  }

  return async (called: Input, options?: Init) => {
    const [input, init] = settle(called, options)
    const url = target(input)
    if (!url || hasAuthorization(input, init)) return send(input, init)
    const signal = init?.signal ?? (isRequest(input) ? input.signal : undefined)
    const method = (init?.method ?? (isRequest(input) ? input.method : 'GET')).toUpperCase()
    const endpoint = url.origin + url.pathname

    const attempt = async (to: Input, accessToken: string, replay: boolean) => {
      emit({ type: 'api-request', method, url: endpoint, replay })
      const response = await send(to, withToken(input, init, accessToken))
      const challenge =
        response.status === 401 || response.status === 403
          ? tokenChallenge(parseChallenges(response.headers.get('www-authenticate')))
          : undefined
      const error = challenge?.parameters.get('error')
      emit({ type: 'api-response', status: response.status, url: endpoint, error })
      if (response.status !== 401) accepted = accessToken
      return { response, error }
    }

    let accessToken = tokens.ready()
    if (accessToken === undefined) {
      await abortable(ports.started(), signal)
      accessToken = await tokens.acquire({ signal })
    }
    const { first, second } = keepForReplay(input, init)
    const { response, error } = await attempt(first, accessToken, false)
    if (!isCurable(response, error) || isFutile(endpoint, accessToken)) return response

    let renewed: string
    try {
      renewed = await tokens.acquire({ rejected: accessToken, signal })
    } catch (failure) {
      // the server's own answer says more than ours, unless it is the caller who gave up
      if (failure instanceof LatchkeyError) return response
      throw failure
    }
    if (second === undefined || renewed === accessToken) return response
    provoked = { accessToken: renewed, until: clock.now() + FUTILE.ms }
    void response.body?.cancel()
    const replayed = await attempt(second, renewed, true)
    if (replayed.response.status === 401) {
      if (futile.size >= FUTILE.most) futile.clear()
      futile.set(endpoint, { accessToken: renewed, until: clock.now() + FUTILE.ms })
      emit({ type: 'refresh-futile', url: endpoint })
    }
    return replayed.response
  }
}

/** Whether another access token may help (RFC 6750 section 3.1): the token is bad, or nothing was said. */
const isCurable = (response: Response, error: string | undefined): boolean => {
  if (response.status !== 401) return false
  if (error !== undefined) return error === 'invalid_token'
  const challenges = parseChallenges(response.headers.get('www-authenticate'))
  return challenges.length === 0 || tokenChallenge(challenges) !== undefined
}
