import { clientSecretBasic } from 'latchkey/client-authentication'
import { type Protect, protect } from 'latchkey/resource-server'
import type { ResourceServerLogEntry } from './resource-server.ts'

export interface TokenCheckOptions {
  /** The authorization server that issues the tokens. Its metadata contains the introspection endpoint. */
  issuer: string
  credentials: { readonly clientId: string; readonly clientSecret: string }
  log: (entry: ResourceServerLogEntry) => void
}

/** Asks the authorization server about every token, so that a revoked one is refused immediately. */
export function createTokenCheck({ issuer, credentials, log }: TokenCheckOptions): Protect {
  return protect({
    issuer: {
      issuer,
      introspection: {
        clientId: credentials.clientId,
        clientAuthentication: clientSecretBasic(credentials.clientSecret),
        // no cache: the demo shows the effect of a revocation
        cacheSeconds: 0,
        inactiveCacheSeconds: 0,
        // the server has only one API, and its tokens have no audience
        acceptWithoutAudience: true,
      },
    },
    audience: 'notes',
    realm: 'notes',
    dpop: 'off',
    fetch: logged(log),
  })
}

/** `fetch`, with an entry for each question about a token and for its answer. */
const logged =
  (log: TokenCheckOptions['log']): typeof fetch =>
  async (input, init) => {
    if (init?.method !== 'POST') return fetch(input, init)
    log({ type: 'introspection-request' })
    try {
      const response = await fetch(input, init)
      const { active = false, scope = '' } = (await response.clone().json()) as {
        active?: boolean
        scope?: string
      }
      log({ type: 'introspection-response', active, scope })
      return response
    } catch (error) {
      log({ type: 'introspection-error', message: error instanceof Error ? error.message : String(error) })
      throw error
    }
  }
