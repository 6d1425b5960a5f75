import type { Clock, Fetch } from '../core/ports.ts'
import { withTimeLimit } from '../core/time-limit.ts'
import { NetworkError } from '../errors.ts'

/** One request, headers and body: the next try still lands inside the shortest reuse grace period, 10 s. */
const REQUEST_MS = 8000
/** Larger than any metadata, key set or token answer. */
const MAX_BYTES = 1_048_576

/** Without query: nothing but the endpoint belongs in a message. */
const nameOf = (url: string) => url.split(/[?#]/)[0] as string

/**
 * Sends requests to the authorization server, with a limit on time and size over headers and body. A GET that found
 * no answer is sent once more; a token request is never sent again here.
 */
export function createTransport({ fetch, clock }: { fetch: Fetch; clock: Clock }) {
  const once = (url: string, init: RequestInit, outer: AbortSignal | null | undefined) =>
    withTimeLimit(
      clock,
      REQUEST_MS,
      async signal => {
        const stop = new AbortController()
        const abort = () => stop.abort()
        for (const other of [signal, outer]) {
          if (other?.aborted) abort()
          other?.addEventListener('abort', abort, { once: true })
        }
        let response: Response
        try {
          response = await fetch(url, { ...init, signal: stop.signal, cache: 'no-store' })
          return await readWhole(response)
        } catch (cause) {
          if (cause instanceof NetworkError) throw cause
          throw new NetworkError(`No answer came from ${nameOf(url)}. Try again later.`, 'unreachable', {
            cause,
          })
        } finally {
          outer?.removeEventListener('abort', abort)
        }
      },
      () =>
        new NetworkError(
          `${nameOf(url)} did not answer within ${REQUEST_MS / 1000} s. Try again later.`,
          'timeout',
        ),
    )

  const readWhole = async (response: Response): Promise<Response> => {
    const { status, headers } = response
    if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
      throw new NetworkError(
        'The endpoint answered with a redirect, which is not followed.',
        'not_the_server',
        {
          status: status || undefined,
        },
      )
    }
    const chunks: BlobPart[] = []
    let size = 0
    const reader = response.body?.getReader()
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      size += part.value.length
      if (size > MAX_BYTES) {
        void reader?.cancel()
        throw new NetworkError(`The answer is larger than ${MAX_BYTES} bytes.`, 'not_the_server', { status })
      }
      chunks.push(part.value)
    }
    return new Response(chunks.length > 0 ? new Blob(chunks) : null, { status, headers })
  }

  return async (url: string, init: RequestInit): Promise<Response> => {
    try {
      return await once(url, init, init.signal)
    } catch (error) {
      if (init.method !== 'GET' || init.signal?.aborted) throw error
      return once(url, init, init.signal)
    }
  }
}

export type Transport = ReturnType<typeof createTransport>
