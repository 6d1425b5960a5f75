import type { Fetch } from '../core/ports.ts'

/** How long clients share a copy. Keys have a short time, so that clients find a new key soon. */
const SHARED_MS = { metadata: 60_000, keys: 2000 }
const MOST = 50
/** Where servers publish their metadata (RFC 8414 section 3, OpenID Connect Discovery section 4). */
const METADATA = /\/\.well-known\/(openid-configuration|oauth-authorization-server)(\/|$)/

interface Shared {
  readonly at: number
  readonly answer: Promise<Response>
}

/**
 * A `fetch` for many clients of one authorization server. When several clients need the server's metadata or its keys
 * (`jwks_uri`) at about the same time, it sends one request. All other requests pass through unchanged.
 */
export function sharedDocuments(send: Fetch): Fetch {
  const documents = new Map<string, Shared>()
  const keySets = new Set<string>()

  const lifetimeOf = (url: string): number =>
    METADATA.test(url) ? SHARED_MS.metadata : keySets.has(url) ? SHARED_MS.keys : 0

  const learn = async (answer: Response): Promise<void> => {
    const { jwks_uri } = (await answer.json()) as { jwks_uri?: unknown }
    if (typeof jwks_uri !== 'string') return
    if (keySets.size >= MOST) keySets.clear()
    keySets.add(jwks_uri)
  }

  return async (input, init) => {
    const lifetime = typeof input === 'string' && init?.method === 'GET' ? lifetimeOf(input) : 0
    if (typeof input !== 'string' || !lifetime || new Headers(init?.headers).has('authorization'))
      return send(input, init)
    const known = documents.get(input)
    const now = performance.now()
    if (known && now - known.at < lifetime) return (await known.answer).clone()
    const { signal: _, ...rest } = init ?? {} // one client's time limit must not abort the request of the others
    const answer = send(input, rest)
    if (documents.size >= MOST) documents.clear()
    documents.set(input, { at: now, answer })
    const forget = () => {
      if (documents.get(input)?.answer === answer) documents.delete(input)
    }
    answer.then(found => {
      if (!found.ok) forget()
      else if (METADATA.test(input)) learn(found.clone()).catch(() => {})
    }, forget)
    return (await answer).clone()
  }
}
