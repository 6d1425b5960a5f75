import type { AuthorizationPorts, SessionWrites } from '../core/authorization.ts'
import { emptySession } from '../core/grant.ts'
import type { SessionRecord } from '../core/session.ts'
import type { Granted } from '../core/token-set.ts'
import { withTimeLimit } from '../core/waiting.ts'
import { AuthorizationRequiredError, ConfigurationError, LatchkeyError, NetworkError } from '../errors.ts'
import { type TokenRequestPorts, tokenRequest } from './token-request.ts'

/** The longest time for the app's function to return the parameters of a grant's token request. */
const PREPARE_MS = 8000

export interface GrantRuns {
  /** Stores the session that the first access token will belong to. @returns whether it was stored. */
  begin(epoch: number): Promise<boolean>
  /** Gets the parameters of the next token request from the grant. Called before the lock is taken. */
  prepare(record: SessionRecord): Promise<void>
  /**
   * Sends one token request of the option `grant` (RFC 6749 sections 4.4 and 4.5) instead of a refresh.
   * @param parameters those of the API in `resources`, if it is for one (RFC 8707 section 2.2).
   */
  run(
    record: SessionRecord,
    attempt: number,
    signal: () => AbortSignal,
    parameters: Readonly<Record<string, string>> | undefined,
  ): Promise<Granted>
}

export function createGrantRuns(
  ports: TokenRequestPorts &
    Pick<AuthorizationPorts, 'records' | 'changed'> & { readonly writes: SessionWrites },
): GrantRuns {
  const { settings, server, clock, serverTime, records } = ports
  const { grant, issuer, clientId, session, scope } = settings
  let prepared: Readonly<Record<string, string>> = {}

  const ask = async () => {
    const now = Math.floor((clock.now() + serverTime.aheadMs()) / 1000)
    return grant?.parameters?.({ issuer, clientId, session, server: await server(), now, clock })
  }
  const late = () =>
    new NetworkError(
      "The app's function for the parameters of the grant did not finish within 8 s. Try again.",
      'timeout',
    )

  return {
    begin: epoch => ports.writes.begin(emptySession(grant?.type ?? '', epoch, scope)),

    async prepare({ sessionId }) {
      try {
        prepared = (await withTimeLimit(clock, PREPARE_MS, ask, late)) ?? {}
      } catch (cause) {
        // the app reports that the user of these tokens is gone
        const isOver = cause instanceof AuthorizationRequiredError
        if (isOver && (await records.end(cause.reason).catch(() => undefined))) ports.changed(sessionId)
        if (cause instanceof LatchkeyError) throw cause
        throw new ConfigurationError('The function that was given to the grant failed: see "cause".', {
          cause,
        })
      }
    },

    async run({ sessionId }, attempt, signal, parameters) {
      const { check, usesRefreshToken = false, type = '' } = grant ?? {}
      const { response } = await tokenRequest(ports, {
        ...{ grantType: type, sessionId, attempt, signal, received: {} },
        parameters: { ...(scope && { scope }), ...prepared, ...parameters },
        secrets: Object.values(prepared),
        async judge(_, members) {
          check?.(members)
          return { claims: undefined, isDistrusted: true } // latchkey did not request an ID Token
        },
      })
      // RFC 6749 section 4.4.3: the server should not send one
      const { refresh_token, ...others } = response
      return { claims: undefined, response: usesRefreshToken ? response : others }
    },
  }
}
