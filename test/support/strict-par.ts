import { HttpResponse } from 'msw'
import type { Clock } from '../../src/core/ports.ts'

export interface StrictParOptions {
  readonly clock: Clock
  readonly isClient: ((form: URLSearchParams, headers: Headers) => boolean | Promise<boolean>) | undefined
}

/** Takes pushed authorization requests (RFC 9126) and gives a reference for each, which works once and in time. */
export function createStrictPar({ clock, isClient }: StrictParOptions) {
  const kept = new Map<string, { form: URLSearchParams; until: number }>()
  /** What was pushed, in its order. */
  const pushed: URLSearchParams[] = []
  /** Answers in place of the next ones; `undefined` answers as it should. */
  const answers: ((requestUri: string) => Response | undefined | Promise<Response | undefined>)[] = []
  return {
    pushed,
    answers,
    /** What the endpoint answers. */
    async push(request: Request): Promise<Response> {
      const form = new URLSearchParams(await request.text())
      pushed.push(form)
      if (isClient && !(await isClient(form, request.headers))) {
        return HttpResponse.json(
          { error: 'invalid_client' },
          { status: 401, headers: { 'www-authenticate': 'Basic realm="as"' } },
        )
      }
      const requestUri = `urn:ietf:params:oauth:request_uri:${crypto.randomUUID()}`
      kept.set(requestUri, { form, until: clock.now() + 60_000 })
      const other = await answers.shift()?.(requestUri)
      return other ?? HttpResponse.json({ request_uri: requestUri, expires_in: 60 }, { status: 201 })
    },
    /** The request that a query stands for: the query itself where nothing was pushed. */
    resolve(query: URLSearchParams): URLSearchParams {
      const requestUri = query.get('request_uri')
      if (requestUri === null) return query
      const found = kept.get(requestUri)
      kept.delete(requestUri)
      if (!found || clock.now() >= found.until)
        throw new Error('This request_uri is not known, or not any more.')
      return found.form
    },
  }
}
