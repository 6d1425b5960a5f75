import { unusableError } from '../authorization/failure.ts'
import { decodeJwtPart, namedBy } from '../authorization/id-token.ts'
import type { ObtainPorts, SignInPorts } from '../authorization/sign-in.ts'
import { refreshTokens } from '../authorization/token-request.ts'
import { decide } from '../core/decide.ts'
import { judgeRefreshFailure } from '../core/grant-outcome.ts'
import { HOLD_MS, WAIT_MS } from '../core/lock-times.ts'
import { endedSessionOf, epochOf, type SessionRecord, sessionOf } from '../core/session.ts'
import type { Granted, IdTokenClaims } from '../core/token-set.ts'
import { withTimeLimit } from '../core/waiting.ts'
import {
  AuthorizationRequiredError,
  ConfigurationError,
  LatchkeyError,
  NetworkError,
  ServerError,
} from '../errors.ts'

type AdoptionPorts = ObtainPorts & SignInPorts

/**
 * Reads the claims of an ID Token whose signature another library has checked.
 * @throws ConfigurationError if it is for another issuer or client.
 */
async function claimsOf(
  { settings, server, acceptDeviation }: AdoptionPorts,
  idToken: string,
): Promise<IdTokenClaims> {
  const claims = decodeJwtPart(idToken, 1) as IdTokenClaims
  const { issuer } = namedBy(await server(), idToken, acceptDeviation)
  const isOurs = claims.iss === issuer && [claims.aud].flat().includes(settings.clientId)
  if (isOurs && typeof claims.sub === 'string') return claims
  throw new ConfigurationError(
    `The "idToken" is of another issuer or client than ${settings.issuer} and ${settings.clientId}. Leave it out, or give the one of this client.`,
  )
}

/** Completes a token response with the adopted refresh token and ID Token where the server sent none. */
function join(
  granted: Granted,
  refreshToken: string,
  idToken: string | undefined,
  old?: IdTokenClaims,
): Granted {
  const { response, claims, isDistrusted, refused } = granted
  if (refused) throw refused
  if (old && claims && claims.sub !== old.sub) throw new AuthorizationRequiredError('subject_changed')
  if (isDistrusted && !old)
    throw new ServerError('The ID Token of the refreshed tokens could not be checked. Call signIn().', {
      error: 'invalid_response',
    })
  const isNew = response.id_token !== undefined && !isDistrusted
  return {
    response: { refresh_token: refreshToken, ...response, ...(!isNew && { id_token: idToken }) },
    claims: isNew ? claims : old,
  }
}

/** Creates the step of a sign-in that redeems another library's refresh token and begins a session with the response. */
export function createAdoption(refreshToken: string, idToken: string | undefined) {
  return async (signInPorts: unknown): Promise<true> => {
    const ports = signInPorts as AdoptionPorts
    const { records, lock, prefix, clock, server, now, extensions } = ports
    const sessionId = `adopted.${await ports.hash(refreshToken)}` // the same token gets the same id
    await server()
    const old = idToken === undefined ? undefined : await claimsOf(ports, idToken)

    /**
     * @returns whether this user already has a usable session here.
     * @throws ConfigurationError if the session may be another user's.
     */
    const isThere = (current: SessionRecord | undefined): boolean => {
      if (!current || decide(current, now()).do === 'authorize') return false
      const { sub } = current.tokens.claims ?? {}
      if (current.sessionId === sessionId || (sub !== undefined && sub === old?.sub)) return true
      throw new ConfigurationError(
        'Another user may already be signed in, and adopt() does not replace that session. Call signOut() first.',
      )
    }

    const redeem = async (signal: AbortSignal): Promise<Granted> => {
      const tokens = { accessToken: '', scope: '', refreshToken, idToken }
      try {
        return await refreshTokens(ports, { sessionId, tokens }, 1, () => signal)
      } catch (error) {
        const before = { refusals: 0, accessTokenExpired: false }
        const isOver = error instanceof LatchkeyError && judgeRefreshFailure(error, 1, 0, before).do === 'end'
        throw isOver ? new AuthorizationRequiredError('expired', { cause: error }) : error
      }
    }

    const joinOrRevoke = (granted: Granted): Granted => {
      try {
        return join(granted, refreshToken, idToken, old)
      } catch (error) {
        ports.revoke(granted.response.refresh_token ?? refreshToken)
        throw error
      }
    }

    const work = async (signal: AbortSignal): Promise<SessionRecord | undefined> => {
      const stored = await records.read()
      const epoch = epochOf(records.inStore) // before the token request: a user may sign out meanwhile
      if (stored && 'unusable' in stored) throw unusableError(stored.unusable)
      if (isThere(sessionOf(stored))) return undefined
      const ended = endedSessionOf(stored)
      if (ended?.sessionId === sessionId) throw new AuthorizationRequiredError(ended.ended)
      // dpop() creates the session's key in this hook, before the first token request
      const parameters = new URLSearchParams()
      await extensions.authorizationRequest({ server: await server(), sessionId, parameters })
      try {
        const granted = await redeem(signal)
        return await ports.begin(sessionId, epoch, joinOrRevoke(granted))
      } catch (error) {
        extensions.ended(sessionId)
        throw error
      }
    }

    const late = () => new NetworkError('The refresh token was not redeemed in time. Try again.', 'timeout')
    const started = await lock.run(
      `${prefix} sign-in`,
      () => withTimeLimit(clock, HOLD_MS, work, late),
      WAIT_MS,
    )
    if (started) ports.changed(started.sessionId)
    return true
  }
}
