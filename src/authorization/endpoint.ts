import { type Client, type ClientAuth, clockSkew, None } from 'oauth4webapi'
import { parseUrl } from '../core/destination.ts'
import type { ClientAuthentication } from '../core/extension.ts'
import type { Clock, Fetch } from '../core/ports.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { NetworkError } from '../errors.ts'

/** The time limit of one request with its response body: a retry is still within the shortest reuse grace period, 10 s. */
const REQUEST_MS = 8000
/** The size limits of a response to GET (metadata, keys) and to POST (tokens): larger than any real one. */
const MAX_BYTES = 1_048_576
const MAX_ANSWER_BYTES = 262_144

/**
 * Sends a request to the authorization server. Has the signature of oauth4webapi's `customFetch`.
 * @param isRepeatable whether the server may receive it twice. Not with a code, a refresh token or a pushed request. Default: GET
 * only.
 */
export type Transport = (url: string, init: object, isRepeatable?: boolean) => Promise<Response>

/** The error codes of OpenSSL and Node for a certificate that is not trusted: a retry does not help. */
const CERTIFICATE = /CERT|ERR_TLS|SELF_SIGNED|UNABLE_TO_/

/** The error for a request without a response. Its message leads to the cause. */
function unreachable(endpoint: string, origin: string | undefined, thrown: unknown): NetworkError {
  const cause = withoutWords(thrown)
  const code = codeOf(thrown)
  const retryable = !CERTIFICATE.test(code)
  const from = origin ? ` from ${origin}` : ''
  const look = !retryable
    ? 'Its certificate is not trusted here: renew it, or trust its issuer.'
    : origin
      ? "The address, CORS (the server must allow this page's origin) or the network: see the browser's console."
      : 'Check the address and the network.'
  const message = `${endpoint} could not be reached${from}${code && ` (${code})`}. ${look}`
  return new NetworkError(message, 'unreachable', { cause, retryable })
}

/**
 * Limits the time and the size of responses, including their bodies. Retries a repeatable request once if it gets no
 * response, but never a token request.
 * @param ports.origin the page's origin, which the server must allow (CORS).
 * @throws NetworkError only. Its message names the endpoint.
 */
export function createTransport(ports: {
  fetch: Fetch
  clock: Clock
  origin?: string | undefined
}): Transport {
  const { fetch, clock, origin } = ports
  const once = (url: string, init: RequestInit): Promise<Response> => {
    const [endpoint = ''] = url.split('?') // the query may contain secrets
    const send = async (signal: AbortSignal) => {
      const maxBytes = init.method === 'POST' ? MAX_ANSWER_BYTES : MAX_BYTES
      const work = async () => {
        const response = await fetch(url, { ...init, signal, cache: 'no-store' })
        if (response.type === 'error') throw new TypeError() // the app's own `fetch` may return Response.error()
        return { response, body: await readBody(response, endpoint, maxBytes) }
      }
      const answered = await work().catch(cause => {
        throw cause instanceof NetworkError ? cause : unreachable(endpoint, origin, cause)
      })
      const { status, headers } = answered.response
      // the body has been read, so nothing after this waits for the network
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

/** A signal that is aborted with either of two. Safari before 17.4 has no `AbortSignal.any`. */
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

/** Copies an error with its causes, but only names and codes: messages may repeat what latchkey sent. */
function withoutWords(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return undefined
  const { name, code, cause } = thrown as Error & { code?: unknown }
  return Object.assign(new Error(String(code ?? name), { cause: withoutWords(cause) }), { name })
}

/** @returns the body of a response, or `null` if it is empty. @throws NetworkError for a redirect or too many bytes. */
async function readBody(
  response: Response,
  endpoint: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const { status, body } = response
  const notTheServer = (what: string, retryable?: boolean) =>
    new NetworkError(`${endpoint} answered with ${what}. Correct the address.`, 'not_the_server', {
      status,
      retryable,
    })
  const to = whereTo(response, endpoint)
  if (to !== undefined) throw notTheServer(`a redirect${to && ` to ${to}`}`, status !== 301 && status !== 308)
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body?.getReader()
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    size += part.value.length
    if (size > maxBytes) {
      void reader?.cancel()
      throw notTheServer('too much')
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

/** The target of a redirect, or the other origin that a followed one led to. Empty if the browser does not reveal it. */
function whereTo({ type, status, headers, redirected, url }: Response, endpoint: string): string | undefined {
  const place = (address: string | null) => (parseUrl(address, endpoint)?.href ?? '').split(/[?#]/)[0] ?? ''
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) return place(headers.get('location'))
  const isElsewhere = redirected && new URL(url).origin !== new URL(endpoint).origin
  return isElsewhere ? place(url) : undefined
}

/** An estimate of the authorization server's clock. This device's clock may be hours off. */
export interface ServerTime {
  /** How many ms it is ahead of this device's clock. 0 while it is unknown. */
  aheadMs(): number
  /** Sets it by an ID Token with latchkey's nonce, which is more reliable than a `Date` header. */
  learn(aheadMs: number): void
  /** Wraps a transport, and updates the estimate by each `Date` (RFC 9110 section 6.6.1) that the page may read. */
  watch(transport: Transport): Transport
}

/** Larger differences are ignored: a device's clock may be months off, but not two years. */
const MOST_AHEAD_MS = 2 * 365 * 24 * 3_600_000
/** The largest difference between a `Date` and the time by the last ID Token. */
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
 * This client and its credentials, in the form that oauth4webapi takes.
 * @param aheadMs how far the server's clock is ahead of this device's. Signed assertions contain the server's time.
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
    // oauth4webapi adds this to Date.now()
    [clockSkew]: Math.round((clock.now() + aheadMs - Date.now()) / 1000),
  },
  clientAuthentication?.authenticate ?? None(),
]
