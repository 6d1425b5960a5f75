import { type Client, type ClientAuth, clockSkew, None } from 'oauth4webapi'
import type { ClientAuthentication } from '../core/extension.ts'
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

/** What is known of the authorization server's clock: this device's may be hours off. */
export interface ServerTime {
  /** How far it is ahead of this device's; 0 as long as nothing was learnt. */
  aheadMs(): number
  /** By an ID Token that was made for our nonce: it counts for more than a `Date`. */
  learn(aheadMs: number): void
  /** The same transport, learning from the `Date` of its answers (RFC 9110 section 6.6.1), where a page may see that. */
  watch(transport: Transport): Transport
}

/** A device may have lost its clock for months; what is two years off is no clock. */
const MOST_AHEAD_MS = 2 * 365 * 24 * 3_600_000
/** How far a `Date` may be from what an ID Token said. */
const AGREE_MS = 5 * 60_000
const SAMPLES = 5

export function createServerTime(clock: Clock): ServerTime {
  let byIdToken: number | undefined
  let samples: number[] = []
  return {
    aheadMs: () => [...samples].sort((a, b) => a - b)[samples.length >> 1] ?? 0,
    learn(aheadMs) {
      byIdToken = aheadMs
      samples = [aheadMs]
    },
    watch: transport => async (url, init, isRepeatable) => {
      const answer = await transport(url, init, isRepeatable)
      const ahead = Date.parse(answer.headers.get('date') ?? '') - clock.now()
      const isLikely = Math.abs(ahead) < MOST_AHEAD_MS && !(Math.abs(ahead - (byIdToken ?? ahead)) > AGREE_MS)
      if (isLikely) samples = [...samples, ahead].slice(-SAMPLES)
      return answer
    },
  }
}

/**
 * This client and its credentials, as oauth4webapi takes them.
 * @param aheadMs how far the server's clock is ahead of this device's: what is signed says the time by that.
 */
export const identityOf = (
  {
    clientId,
    clientAuthentication,
  }: { readonly clientId: string; readonly clientAuthentication?: ClientAuthentication | undefined },
  clock: Clock,
  aheadMs: number,
): [Client, ClientAuth] => [
  {
    client_id: clientId,
    use_mtls_endpoint_aliases: clientAuthentication?.mtls ?? false,
    // oauth4webapi adds this to what it reads from Date itself
    [clockSkew]: Math.round((clock.now() + aheadMs - Date.now()) / 1000),
  },
  clientAuthentication?.authenticate ?? None(),
]
