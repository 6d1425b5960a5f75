import type { AuthorizationPorts, Recovery } from '../core/authorization.ts'
import { overByClock } from '../core/decide.ts'
import type { EpochMs } from '../core/ports.ts'
import {
  type EndedSession,
  endOf,
  epochOf,
  mayBeRestored,
  type SessionRecord,
  sessionOf,
} from '../core/session.ts'
import type { StoredTrouble } from '../core/trouble.ts'
import { AuthorizationRequiredError, type EndReason } from '../errors.ts'
import { needsUser } from './failure.ts'
import type { Transactions } from './transaction.ts'

/** The end of a session that only its user can renew. */
function expired(record: SessionRecord | undefined, now: EpochMs): EndedSession | undefined {
  const ended = record && overByClock(record, now)
  if (!ended) return undefined
  const { sessionId, epoch, parameters, tokens } = record
  return { schema: 1, ended, sessionId, epoch, parameters, subject: tokens.claims?.sub }
}

type RecoveryPorts = Pick<AuthorizationPorts, 'records' | 'now'>

/**
 * Takes the one attempt there is to help a session that the server refreshes only after the user has done something.
 * @throws AuthorizationRequiredError where it was tried since.
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

/** Stores why an attempt without the user left nobody signed in. Best effort. */
export const noteReason = ({ records }: RecoveryPorts, ended: EndReason): Promise<void> =>
  records
    .amend(stored =>
      sessionOf(stored) || (stored && 'unusable' in stored)
        ? undefined
        : { schema: 1, sessionId: '', epoch: epochOf(stored), ...endOf(stored), ended },
    )
    .catch(() => {})

/**
 * Takes the one attempt there is to restore a session that has ended, or that cannot be refreshed without its user.
 * @returns whose it was and what its sign-in asked for, where that is known; `undefined` for a user who is signed in and
 * whose session the server refreshes.
 * @throws AuthorizationRequiredError unless there is one that nobody has tried to restore yet.
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
  // one attempt in all, however many tabs begin it
  await records.amend(stored => {
    found = endOf(stored) ?? expired(sessionOf(stored), now())
    return found && mayBeRestored(found.ended) ? { ...found, tried: true } : undefined
  })
  if (!found || !mayBeRestored(found.ended)) throw new AuthorizationRequiredError('no_session')
  if (found.tried) throw new AuthorizationRequiredError('interaction_required')
  return found
}
