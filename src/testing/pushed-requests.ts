import type { Clock } from '../extending.ts'
import { secret } from './token-families.ts'

/** The lifetime of a pushed request in seconds. */
const LIFETIME_SECONDS = 60

/** Accepts pushed authorization requests (RFC 9126). Each gets a `request_uri` that works once and expires. */
export function createPushedRequests(clock: Clock) {
  const kept = new Map<string, { form: URLSearchParams; until: number }>()
  /** The pushed requests, in order. */
  const pushed: URLSearchParams[] = []
  /** Replace the next responses. A function that returns `undefined` leaves the server's own response. */
  const answers: ((requestUri: string) => Response | undefined | Promise<Response | undefined>)[] = []
  return {
    pushed,
    answers,
    /** Stores a request. @returns the endpoint's response. */
    async push(form: URLSearchParams): Promise<Response> {
      pushed.push(form)
      const requestUri = `urn:ietf:params:oauth:request_uri:${secret('request')}`
      kept.set(requestUri, { form, until: clock.now() + LIFETIME_SECONDS * 1000 })
      const other = await answers.shift()?.(requestUri)
      const body = { request_uri: requestUri, expires_in: LIFETIME_SECONDS }
      return other ?? Response.json(body, { status: 201 })
    },
    /** Returns the pushed request that the query names, or the query itself. @throws Error for an unusable `request_uri`. */
    resolve(query: URLSearchParams): URLSearchParams {
      const requestUri = query.get('request_uri')
      if (requestUri === null) return query
      const found = kept.get(requestUri)
      kept.delete(requestUri)
      if (!found || clock.now() >= found.until)
        throw new Error('This request_uri is unknown, was used, or has expired.')
      return found.form
    },
  }
}
