import { clientSecretBasic } from 'latchkey/client-authentication'
import { type Protect, protect } from 'latchkey/resource-server'
import type { ResourceServerLogEntry } from './resource-server.ts'

export interface TokenCheckOptions {
  /** The authorization server that issues the tokens; its introspection endpoint is found by discovery. */
  issuer: string
  credentials: { readonly clientId: string; readonly clientSecret: string }
  log: (entry: ResourceServerLogEntry) => void
}

/** Asks the authorization server about every token, so that it refuses a revoked one at once. */
export function createTokenCheck({ issuer, credentials, log }: TokenCheckOptions): Protect {
  return protect({
    issuer: {
      issuer,
      introspection: {
        clientId: credentials.clientId,
        clientAuthentication: clientSecretBasic(credentials.clientSecret),
        // nothing is remembered: the demo shows what a revocation does
        cacheSeconds: 0,
        inactiveCacheSeconds: 0,
        // this server has one API, and its tokens name none
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
