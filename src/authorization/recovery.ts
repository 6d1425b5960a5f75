import type { AuthorizationPorts } from '../core/authorization.ts'
import { decide } from '../core/decide.ts'
import type { EpochMs } from '../core/ports.ts'
import { type EndedSession, endOf, epochOf, type SessionRecord, sessionOf } from '../core/session.ts'
import { AuthorizationRequiredError, type EndReason } from '../errors.ts'

/** The end of a session that only its user can renew. */
function expired(record: SessionRecord | undefined, now: EpochMs): EndedSession | undefined {
  const decision = decide(record, now)
  if (!record || decision.do !== 'authorize') return undefined
  const { sessionId, epoch, tokens } = record
  return { schema: 1, ended: decision.reason, sessionId, epoch, subject: tokens.claims?.sub }
}

type RecoveryPorts = Pick<AuthorizationPorts, 'records' | 'now'>

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
 * Takes the one attempt there is to restore a session that has ended.
 * @returns whose it was, where that is known.
 * @throws AuthorizationRequiredError unless there is one that nobody has tried to restore yet.
 */
export async function beginRecovery({ records, now }: RecoveryPorts): Promise<string | undefined> {
  let found: EndedSession | undefined
  // one attempt in all, however many tabs begin it
  await records.amend(stored => {
    found = endOf(stored) ?? expired(sessionOf(stored), now())
    return found && found.ended !== 'signed_out' ? { ...found, tried: true } : undefined
  })
  if (!found || found.ended === 'signed_out') throw new AuthorizationRequiredError('no_session')
  if (found.tried) throw new AuthorizationRequiredError('interaction_required')
  return found.subject
}
