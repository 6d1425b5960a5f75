import type { Clock, EpochMs } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'

/**
 * The time by which the tokens in memory are judged. Where the clock was set back since they came, the time that was
 * watched counts: no token is used for longer than it lives.
 */
export function createWatchedTime(
  clock: Clock,
  records: { readonly current: SessionRecord | undefined },
): () => EpochMs {
  let watched = ''
  let from = 0
  return () => {
    const now = clock.now()
    const elapsed = clock.elapsed?.() ?? 0
    const { sessionId, version } = records.current ?? {}
    const newest = `${sessionId} ${version}`
    if (newest !== watched) from = now - elapsed
    watched = newest
    return Math.max(now, from + elapsed)
  }
}
