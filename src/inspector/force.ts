import type { LentParts } from '../actions/context.ts'
import { actionContext } from '../core/extension.ts'
import { sessionOf } from '../core/session.ts'
import type { Fetch } from '../extending.ts'
import { createAuthFetch } from '../fetch/auth-fetch.ts'
import type { Client } from '../index.ts'

/** What a developer can learn of a client and make happen to it. */
export interface Force {
  /** The tab, worker or process that brought the newest tokens: `context` in its `explain()`. */
  storedBy(): string | undefined
  /** Takes the access token for expired, in the store too. The next call refreshes it. */
  expire(): Promise<void>
  /** Refreshes now, although the access token is still valid. */
  refresh(): Promise<void>
  /** Sends a GET to an API, whose first answer is a 401. */
  challenge(url: string): Promise<void>
}

const refusal = () =>
  new Response(null, {
    status: 401,
    headers: { 'www-authenticate': 'Bearer error="invalid_token", error_description="by the inspector"' },
  })

/** @returns `undefined` for a client that is not one of latchkey's own. */
export function createForce(client: Client): Force | undefined {
  const parts = client[actionContext] as LentParts | undefined
  if (!parts) return undefined
  const { calls, current, amend } = parts
  return {
    storedBy: () => current()?.by,
    async expire() {
      const record = current()
      const now = calls.clock.now()
      await amend(stored => {
        const found = sessionOf(stored)
        // only what this client has itself: anything newer is not touched
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
