import type { Clock } from '../extending.ts'
import { secret } from './token-families.ts'

/** How many seconds a pushed request can be used. */
const LIFETIME_SECONDS = 60

/** Takes pushed authorization requests (RFC 9126). Each gets a reference that works once and in time. */
export function createPushedRequests(clock: Clock) {
  const kept = new Map<string, { form: URLSearchParams; until: number }>()
  /** The pushed requests in their order. */
  const pushed: URLSearchParams[] = []
  /** Answers in place of the next ones. `undefined` answers as the server should. */
  const answers: ((requestUri: string) => Response | undefined | Promise<Response | undefined>)[] = []
  return {
    pushed,
    answers,
    /** Keeps a request. @returns the endpoint's answer. */
    async push(form: URLSearchParams): Promise<Response> {
      pushed.push(form)
      const requestUri = `urn:ietf:params:oauth:request_uri:${secret('request')}`
      kept.set(requestUri, { form, until: clock.now() + LIFETIME_SECONDS * 1000 })
      const other = await answers.shift()?.(requestUri)
      const body = { request_uri: requestUri, expires_in: LIFETIME_SECONDS }
      return other ?? Response.json(body, { status: 201 })
    },
    /** The request that a query stands for: the query itself if it names no pushed one. */
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
