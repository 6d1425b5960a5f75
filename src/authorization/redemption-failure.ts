import type { AuthorizationPorts, RefreshResult, SessionWrites } from '../core/authorization.ts'
import { addFailure, isTooEarly, pause } from '../core/back-off.ts'
import type { EpochMs } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'
import { toError } from '../core/trouble.ts'
import { type EndReason, type LatchkeyError, NetworkError, StorageError } from '../errors.ts'

/** After `invalid_grant`, how long the winner of a race may still need to store its tokens. */
const RACE_MS = 500

/** The result while it is too early to retry after the failure in this record. `undefined`: it is not too early. */
export const pausedBy = (
  { trouble }: SessionRecord,
  now: EpochMs,
  wokeAt: EpochMs,
): Extract<RefreshResult, { type: 'failed' }> | undefined =>
  trouble && isTooEarly(trouble, now, wokeAt)
    ? { type: 'failed', error: toError(trouble), noted: 'read' }
    : undefined

interface FailurePorts extends Pick<AuthorizationPorts, 'records' | 'clock' | 'random'> {
  readonly writes: SessionWrites
}

export async function endSession(
  { records, writes }: FailurePorts,
  marked: SessionRecord,
  reason: EndReason,
): Promise<RefreshResult> {
  try {
    if (await writes.end(reason, marked)) return { type: 'ended', reason }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    // the record stays in the store, but this client never sends its token again
    return records.current ? { type: 'adopted' } : { type: 'ended', reason }
  }
  await records.read()
  return { type: 'adopted' }
}

/** If locks fail, another client may have won a race and stored its tokens, or be about to: then nothing ends. */
export async function endUnlessRotated(
  ports: FailurePorts,
  readAgain: () => Promise<SessionRecord | undefined>,
  marked: SessionRecord,
  reason: EndReason,
): Promise<RefreshResult> {
  for (const waitMs of [0, RACE_MS]) {
    if (waitMs) await pause(ports.clock, waitMs)
    const found = await readAgain()
    if (found?.sessionId !== marked.sessionId) return { type: 'overtaken', unused: undefined }
    if (found.tokens.refreshToken !== marked.tokens.refreshToken) return { type: 'adopted' }
  }
  return endSession(ports, marked, reason)
}

/**
 * Keeps the session. Stores the failure for all clients, unless it is about one API only.
 * @param base the record without the failure: with its mark if the server may have used up the refresh token.
 */
export async function keepSession(
  ports: FailurePorts,
  marked: SessionRecord,
  base: SessionRecord,
  error: LatchkeyError,
  isRefusal: boolean,
  resource: string | undefined,
): Promise<RefreshResult> {
  const isShared = resource === undefined || error instanceof NetworkError
  const trouble = addFailure(base.trouble, error, isRefusal, ports.clock.now(), ports.random())
  const isStored = await ports.writes
    .replace(isShared ? { ...base, trouble } : base, marked)
    .catch(() => false)
  return { type: 'failed', error, noted: isShared && isStored && 'written' }
}
