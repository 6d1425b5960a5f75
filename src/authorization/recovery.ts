import type { AuthorizationPorts, Recovery } from '../core/authorization.ts'
import { expiredByLocalClock } from '../core/decide.ts'
import type { EpochMs } from '../core/ports.ts'
import {
  type EndedSession,
  endedSessionOf,
  epochOf,
  mayBeRestored,
  type SessionRecord,
  sessionOf,
} from '../core/session.ts'
import type { StoredTrouble } from '../core/trouble.ts'
import { AuthorizationRequiredError, type EndReason } from '../errors.ts'
import { needsUser } from './failure.ts'
import type { Transactions } from './transaction.ts'

/** The end of a session that only its user can continue. `undefined` if latchkey can still refresh it. */
function expired(record: SessionRecord | undefined, now: EpochMs): EndedSession | undefined {
  const ended = record && expiredByLocalClock(record, now)
  if (!ended) return undefined
  const { sessionId, epoch, parameters, tokens } = record
  return { schema: 1, ended, sessionId, epoch, parameters, subject: tokens.claims?.sub }
}

type RecoveryPorts = Pick<AuthorizationPorts, 'records' | 'now'>

/**
 * Claims the only silent sign-in for a session that the server refreshes only after the user has acted.
 * @throws AuthorizationRequiredError if there was one since the refreshes began to fail.
 */
async function beginHelp(
  { parameters, tokens }: SessionRecord,
  { since, claims }: StoredTrouble,
  transactions: Transactions,
): Promise<Recovery> {
  const isTried = (await transactions.all()).some(({ silent, createdAt }) => silent && createdAt >= since)
  if (isTried) throw new AuthorizationRequiredError('interaction_required')
  return { parameters, subject: tokens.claims?.sub, stepUp: { claims } }
}

/** Stores why a silent sign-in failed. Best effort. */
export const noteReason = ({ records }: RecoveryPorts, ended: EndReason): Promise<unknown> =>
  records
    .update(stored =>
      sessionOf(stored) || (stored && 'unusable' in stored)
        ? undefined
        : { schema: 1, sessionId: '', epoch: epochOf(stored), ...endedSessionOf(stored), ended },
    )
    .catch(() => {})

/**
 * Claims the only attempt to restore a session that has ended, or that cannot be refreshed without its user.
 * @returns the user and the parameters of its sign-in, as far as they are known; `undefined` if the user is signed in and
 * the server refreshes the session.
 * @throws AuthorizationRequiredError if there is no such session, or the attempt has already been made.
 */
export async function beginRecovery(
  { records, now }: RecoveryPorts,
  transactions: Transactions,
  isSignedIn: boolean,
): Promise<Recovery | undefined> {
  const { current } = records
  const trouble = current?.trouble
  if (trouble && needsUser(trouble.why)) return beginHelp(current, trouble, transactions)
  if (isSignedIn) return undefined
  let found: EndedSession | undefined
  // one attempt for all tabs together
  await records.update(stored => {
    found = endedSessionOf(stored) ?? expired(sessionOf(stored), now())
    return found && mayBeRestored(found.ended) ? { ...found, tried: true } : undefined
  })
  if (!found || !mayBeRestored(found.ended)) throw new AuthorizationRequiredError('no_session')
  if (found.tried) throw new AuthorizationRequiredError('interaction_required')
  return found
}
