import type { Clock, EpochMs } from '../core/ports.ts'
import type { SessionRecord } from '../core/session.ts'

/**
 * Returns the time for checking the expiry of the tokens in memory. If the clock was set back since they were received, the
 * elapsed time counts, so that latchkey uses no token for longer than it lives.
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
