import type { ClientInternals } from '../actions/context.ts'
import { actionContext } from '../core/extension.ts'
import { sessionOf } from '../core/session.ts'
import type { Fetch } from '../extending.ts'
import { createAuthFetch } from '../fetch/auth-fetch.ts'
import type { Client } from '../index.ts'

/** Lets a developer look into a client and force events. */
export interface DebugActions {
  /** The tab, worker or process that stored the newest tokens: `context` in its `explain()`. */
  storedBy(): string | undefined
  /** Marks the access token as expired, in the store too. The next call refreshes it. */
  expire(): Promise<void>
  /** Refreshes now, although the access token is still valid. */
  refresh(): Promise<void>
  /** Calls an API with GET, and answers the first request with a 401 itself. */
  challenge(url: string): Promise<void>
}

const refusal = () =>
  new Response(null, {
    status: 401,
    headers: { 'www-authenticate': 'Bearer error="invalid_token", error_description="by the inspector"' },
  })

/** @returns `undefined` if `createClient()` did not create this client. */
export function createForce(client: Client): DebugActions | undefined {
  const parts = client[actionContext] as ClientInternals | undefined
  if (!parts) return undefined
  const { calls, records } = parts
  return {
    storedBy: () => records().current?.by,
    async expire() {
      const record = records().current
      const now = calls.clock.now()
      await records().update(stored => {
        const found = sessionOf(stored)
        // do not change tokens that are newer than those of this client
        const isSame = found && found.tokens.accessToken === record?.tokens.accessToken
        return isSame ? { ...found, tokens: { ...found.tokens, expiresAt: now, refreshAt: now } } : undefined
      })
    },
    async refresh() {
      const rejected = await client.getAccessToken()
      await calls.tokens.acquire({ rejected })
    },
    async challenge(url) {
      let isFirst = true
      const send: Fetch = (...args) => {
        if (!isFirst) return calls.send(...args)
        isFirst = false
        return Promise.resolve(refusal())
      }
      const response = await createAuthFetch({ ...calls, send })(url)
      await response.body?.cancel()
    },
  }
}
