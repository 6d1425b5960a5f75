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

/** A certificate that is not trusted stays so (the codes of OpenSSL and Node). */
const CERTIFICATE = /CERT|ERR_TLS|SELF_SIGNED|UNABLE_TO_/

/** Why a request found no answer, in words that lead to the cause. */
function unreachable(endpoint: string, origin: string | undefined, thrown: unknown): NetworkError {
  const cause = withoutWords(thrown)
  const code = codeOf(thrown)
  const retryable = !CERTIFICATE.test(code)
  const from = origin ? ` from ${origin}` : ''
  const look = !retryable
    ? 'Its certificate is not trusted here.'
    : origin
      ? "The address, CORS (the server must allow this page's origin) or the network: the browser's console says which."
      : 'Check the address and the network.'
  const message = `${endpoint} could not be reached${from}${code && ` (${code})`}. ${look}`
  return new NetworkError(message, 'unreachable', { cause, retryable })
}

/**
 * Sends with a limit on time and size over headers and body. What may be repeated is sent once more where it found no
 * answer; a token request is never sent again here.
 * @param ports.origin of the page whose requests the server has to allow (CORS).
 * @throws NetworkError only, which names the endpoint.
 */
export function createTransport(ports: {
  fetch: Fetch
  clock: Clock
  origin?: string | undefined
}): Transport {
  const { fetch, clock, origin } = ports
  const once = (url: string, init: RequestInit): Promise<Response> => {
    const [endpoint = ''] = url.split('?') // nothing but the endpoint belongs in a message
    const send = async (signal: AbortSignal) => {
      const maxBytes = init.method === 'POST' ? MAX_ANSWER_BYTES : MAX_BYTES
      const work = async () => {
        const response = await fetch(url, { ...init, signal, cache: 'no-store' })
        if (response.type === 'error') throw new TypeError() // the app's own fetch may give one
        return { response, body: await readBody(response, endpoint, maxBytes) }
      }
      const answered = await work().catch(cause => {
        throw cause instanceof NetworkError ? cause : unreachable(endpoint, origin, cause)
      })
      const { status, headers } = answered.response
      // with its body read, so that nothing after this waits for the network
      return new Response(answered.body, { status, headers })
    }
    return withTimeLimit(
      clock,
      REQUEST_MS,
      late => send(eitherOf(late, init.signal)),
      () => new NetworkError(`${endpoint} did not answer within 8 s. Try again later.`, 'timeout'),
    )
  }

  return async (url, init: RequestInit, isRepeatable = init.method === 'GET') => {
    try {
      return await once(url, init)
    } catch (error) {
      const { reason, retryable } = error as NetworkError
      if (!isRepeatable || !retryable || reason === 'not_the_server') throw error
      return once(url, init)
    }
  }
}

/** Aborted when either is. `AbortSignal.any` is not in Safari before 17.4. */
function eitherOf(own: AbortSignal, given: AbortSignal | null | undefined): AbortSignal {
  if (!given) return own
  const controller = new AbortController()
  for (const signal of [own, given]) {
    const abort = () => controller.abort(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true, signal: controller.signal })
  }
  return controller.signal
}

/** The code of the innermost error that has one, such as ENOTFOUND. */
function codeOf(thrown: unknown): string {
  const { code, cause } = Object(thrown) as { code?: unknown; cause?: unknown }
  const inner = cause ? codeOf(cause) : ''
  return inner || (/^[A-Z\d_]+$/.exec(String(code))?.[0] ?? '')
}

/** The names and codes of what was thrown at us: its text may repeat what was sent. */
function withoutWords(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return undefined
  const { name, code, cause } = thrown as Error & { code?: unknown }
  return Object.assign(new Error(String(code ?? name), { cause: withoutWords(cause) }), { name })
}

/** @returns the bytes of an answer, if it has any. @throws NetworkError for a redirect, and for too many. */
async function readBody(
  response: Response,
  endpoint: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const { status, body } = response
  const unfit = (what: string, retryable?: boolean) =>
    new NetworkError(`${endpoint} answered with ${what}.`, 'not_the_server', { status, retryable })
  const to = whereTo(response, endpoint)
  if (to !== undefined) throw unfit(`a redirect${to && ` to ${to}`}`, status !== 301 && status !== 308)
  const chunks: Uint8Array[] = []
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
  if (!size) return null
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** Where an answer redirects to, or was redirected to although that is another origin: empty where nobody can tell. */
function whereTo({ type, status, headers, redirected, url }: Response, endpoint: string): string | undefined {
  const place = (address: string | null) => (parse(address, endpoint) ?? '').split(/[?#]/)[0] ?? ''
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) return place(headers.get('location'))
  const isElsewhere = redirected && new URL(url).origin !== new URL(endpoint).origin
  return isElsewhere ? place(url) : undefined
}

const parse = (address: string | null, base: string) =>
  address !== null && URL.canParse(address, base) ? new URL(address, base).href : undefined

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
