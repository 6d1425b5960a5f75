import { createSessionWrites } from '../../src/authorization/session-writes.ts'
import type { SessionRecords, SessionWrites } from '../../src/core/authorization.ts'
import { HOLD_MS } from '../../src/core/lock-times.ts'
import type { Clock, Lock } from '../../src/core/ports.ts'
import { type SessionRecord, sessionOf } from '../../src/core/session.ts'
import type { Safeguard } from './parameters.ts'

const noLock: Lock = { run: (_name, work) => work() }

/** The ports of a session, as a client without safeguards would use them. */
export interface Weakened {
  readonly records: SessionRecords
  readonly writes: SessionWrites
  readonly lock: Lock
  /** The server answered a token request with `invalid_grant`. */
  refused(): void
}

export function withoutSafeguard(
  missing: readonly Safeguard[],
  records: SessionRecords,
  lock: Lock,
): Weakened {
  let isRefreshing = false
  let refused = false
  const writes = createSessionWrites(records, () => {})
  const weakened: Partial<SessionRecords> = {}
  const weakWrites: Partial<SessionWrites> = {}
  let weakLock = lock

  /** Removes any record. */
  const write = (next: SessionRecord) => records.update(() => next)
  const weaken: Partial<Record<Safeguard, () => void>> = {
    lock: () => {
      weakLock = noLock
    },
    're-read': () => {
      weakened.read = async () => (isRefreshing && !refused ? records.stored : records.read())
    },
    'replace-if-unchanged': () => {
      weakWrites.replace = write
    },
    'intent-mark': () => {
      weakWrites.replace = async (next, unchanged) => (next.pending ? true : writes.replace(next, unchanged))
    },
    'store-before-use': () => {
      weakWrites.replace = async (next, unchanged) => {
        if (next.version === unchanged.version) return writes.replace(next, unchanged)
        writes.keep(next, unchanged)
        void writes.replace(next, unchanged).catch(() => {})
        return true
      }
    },
    'judge-re-read': () => {
      // removes what the server rejected, whatever the store contains now
      weakened.read = async () => (isRefreshing && refused ? records.stored : records.read())
      weakWrites.end = reason => records.end(reason)
    },
    'sign-out-guard': () => {
      weakWrites.replace = async (next, unchanged) =>
        (await writes.replace(next, unchanged)) || (sessionOf(await records.read()) ? false : write(next))
    },
    'sign-in-epoch': () => {
      weakWrites.begin = write
    },
  }
  for (const one of missing) weaken[one]?.()

  return {
    records: { ...records, ...weakened },
    writes: { ...writes, ...weakWrites },
    lock: {
      isHeld: missing.includes('unsaved-is-seen') ? undefined : lock.isHeld,
      run: (name, work, waitMs) => {
        if (name.endsWith('unsaved')) return weakLock.run(name, work, waitMs)
        return weakLock.run(
          name,
          async () => {
            refused = false
            isRefreshing = true
            try {
              return await work()
            } finally {
              isRefreshing = false
            }
          },
          waitMs,
        )
      },
    },
    refused() {
      refused = true
    },
  }
}

/** The parts of the Web Lock, as a client without a safeguard would use them. */
export function withoutWebLockSafeguard(
  missing: readonly Safeguard[],
  locks: LockManager,
  clock: Clock,
  lease: Lock,
): { locks: LockManager; clock: Clock; lease: Lock } {
  const isMissing = (safeguard: Safeguard) => missing.includes(safeguard)
  const request = locks.request.bind(locks)
  // all holds look the same
  const query = async () => ({ held: [{ name: 'latchkey', clientId: 'somebody' }] })
  return {
    locks: isMissing('holds-told-apart') ? ({ request, query } as LockManager) : locks,
    // no client is ever granted the lock late
    clock: isMissing('late-means-lease')
      ? {
          now: () => 0,
          after: (ms, ...rest) => (ms === HOLD_MS ? () => {} : clock.after(ms, ...rest)),
        }
      : clock,
    lease: isMissing('lease-around-a-holder') ? noLock : lease,
  }
}
