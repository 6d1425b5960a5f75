import type { Fetch } from '../core/ports.ts'

/** For how long a copy is shared. A key that is new must be found soon. */
const SHARED_MS = { metadata: 60_000, keys: 2000 }
const MOST = 50
/** Where servers publish their metadata (RFC 8414 section 3, OpenID Connect Discovery section 4). */
const METADATA = /\/\.well-known\/(openid-configuration|oauth-authorization-server)(\/|$)/

interface Shared {
  readonly at: number
  readonly answer: Promise<Response>
}

/**
 * A `fetch` for many clients of one authorization server: its metadata, and the keys that the metadata names, are requested
 * once when several clients need them at about the same time. All other requests pass through.
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
    const { signal: _, ...rest } = init ?? {} // the time limit of one client does not end the request of the others
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
