import { joinClient } from '../../src/client.ts'
import type { Fetch } from '../../src/core/ports.ts'
import type { ClientOptions } from '../../src/options.ts'
import { sha256 } from '../../src/runtime/digest.ts'
import { handClock } from '../support/clock.ts'
import { signingKey } from '../support/signing-key.ts'
import { sharedStore } from '../support/tabs.ts'

export const ISSUER = 'https://id.example.com'
export const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  jwks_uri: `${ISSUER}/jwks`,
  revocation_endpoint: `${ISSUER}/revoke`,
  code_challenge_methods_supported: ['S256'],
  authorization_response_iss_parameter_supported: false,
}
export const TOKENS = {
  access_token: 'access-1',
  token_type: 'Bearer',
  expires_in: 300,
  refresh_token: 'refresh-1',
  scope: 'read',
}
const key = signingKey()
export const jwks = () => key.jwks()

/** What an ID Token of a good server says, but for the nonce of the sign-in. */
export const claims = () => {
  const now = Math.floor(Date.now() / 1000)
  return { iss: ISSUER, sub: 'alice', aud: 'app', iat: now, exp: now + 3600 }
}
export const signed = (of: object) => key.sign(of as Record<string, unknown>)

export type Reply = (what: { nonce: string | undefined; refreshes: boolean }) => Response | Promise<Response>

/** A client of a server whose answers are the test's; whatever is not given is as it should be. */
export function hostileWorld({
  metadata = () => Response.json(METADATA),
  keys = async () => Response.json(await jwks()),
  tokens = () => Response.json(TOKENS),
  scope = 'read',
  callback = (good: string) => good,
}: {
  metadata?: () => Response
  keys?: () => Response | Promise<Response>
  tokens?: Reply
  scope?: string
  callback?: (good: string) => string
}) {
  const clock = handClock({ skipUpToMs: 1500 })
  const store = sharedStore(clock)
  const asked: { nonce: string | undefined } = { nonce: undefined }
  const fetch: Fetch = async (input, init) => {
    const { pathname } = new URL(String(input))
    if (pathname.startsWith('/.well-known/')) return metadata()
    if (pathname === '/jwks') return keys()
    if (pathname !== '/token') return new Response(null)
    return tokens({ ...asked, refreshes: String(init?.body).includes('refresh_token') })
  }
  const client = joinClient(
    {
      issuer: ISSUER,
      clientId: 'app',
      redirectUri: 'https://app.example.com/callback',
      scope,
      allowedOrigins: ['https://api.example.com'],
      store,
      clock,
      fetch,
    } as ClientOptions,
    {
      fetch,
      clock,
      store: () => store,
      userAgent: () => ({
        name: 'fuzz',
        begin: redirectUri => ({
          redirectUri,
          async authorize(url, state) {
            asked.nonce = new URL(url).searchParams.get('nonce') ?? undefined
            return callback(`${redirectUri}?code=code-1&state=${state}`)
          },
          close() {},
        }),
      }),
      page: undefined,
      baseUrl: () => undefined,
      wake: undefined,
      hash: sha256,
    },
  )
  const record = async () => {
    const [name] = (await store.keyValue.keys('')).filter(one => one.endsWith(' session'))
    return name && store.keyValue.get(name)
  }
  return { client, clock, store, record }
}
