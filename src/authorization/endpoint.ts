import type { Clock, Fetch } from '../core/ports.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { NetworkError } from '../errors.ts'

/** One request, headers and body: the next try still lands inside the shortest reuse grace period, 10 s. */
const REQUEST_MS = 8000
/** Larger than any metadata or key set, and larger than any token answer. */
const MAX_BYTES = 1_048_576
const MAX_ANSWER_BYTES = 262_144

/**
 * How requests to the authorization server are sent. Shaped as oauth4webapi wants its `customFetch`.
 * @param isRepeatable whether it may arrive twice. A code, a refresh token or a pushed request may not. Default: a GET.
 */
export type Transport = (url: string, init: object, isRepeatable?: boolean) => Promise<Response>

/**
 * Sends with a limit on time and size over headers and body. What may be repeated is sent once more where it found no
 * answer; a token request is never sent again here.
 * @throws NetworkError only, which names the endpoint.
 */
export function createTransport({ fetch, clock }: { fetch: Fetch; clock: Clock }): Transport {
  const once = (url: string, init: RequestInit): Promise<Response> => {
    const endpoint = url.split('?')[0] // nothing but the endpoint belongs in a message
    return withTimeLimit(
      clock,
      REQUEST_MS,
      async late => {
        try {
          const signal = init.signal ? AbortSignal.any([init.signal, late]) : late
          return await readWhole(
            await fetch(url, { ...init, signal, cache: 'no-store' }),
            endpoint,
            init.method === 'POST' ? MAX_ANSWER_BYTES : MAX_BYTES,
          )
        } catch (cause) {
          if (cause instanceof NetworkError) throw cause
          throw new NetworkError(`${endpoint} could not be reached. Try again later.`, 'unreachable', {
            cause: withoutWords(cause),
          })
        }
      },
      () => new NetworkError(`${endpoint} did not answer within 8 s. Try again later.`, 'timeout'),
    )
  }

  return async (url, init: RequestInit, isRepeatable = init.method === 'GET') => {
    try {
      return await once(url, init)
    } catch (error) {
      if (!isRepeatable || (error as NetworkError).reason === 'not_the_server') throw error
      return once(url, init)
    }
  }
}

/** The names and codes of what was thrown at us: its text may repeat what was sent. */
function withoutWords(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return undefined
  const { name, code, cause } = thrown as Error & { code?: unknown }
  return Object.assign(new Error(String(code ?? name), { cause: withoutWords(cause) }), { name })
}

/** The same answer with its body read, so that nothing after this waits for the network. */
async function readWhole(
  response: Response,
  endpoint: string | undefined,
  maxBytes: number,
): Promise<Response> {
  const { status, headers, body } = response
  const unfit = (what: string) =>
    new NetworkError(`${endpoint} answered with ${what}. Try again later.`, 'not_the_server', { status })
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) throw unfit('a redirect')
  const chunks: BlobPart[] = []
  let size = 0
  const reader = body?.getReader()
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    size += part.value.length
    if (size > maxBytes) {
      void reader?.cancel()
      throw unfit('too much')
    }
    chunks.push(part.value)
  }
  return new Response(size ? new Blob(chunks) : null, { status, headers })
}
