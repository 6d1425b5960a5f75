import type { Clock, Lock } from '../../src/core/ports.ts'
import { HOLD_MS } from '../../src/core/time-limit.ts'
import type { SessionRecords } from '../../src/refresh/redemption.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import type { Safeguard } from './parameters.ts'

const noLock: Lock = { run: (_name, work) => work() }

/** The ports of a refresher, as the refresher that lacks one safeguard would use them. */
export interface Weakened {
  readonly records: SessionRecords
  readonly lock: Lock
  /** A token request was answered with `invalid_grant`. */
  refused(): void
}

export function withoutSafeguard(
  missing: readonly Safeguard[],
  records: TokenStore,
  unwatched: TokenStore,
  lock: Lock,
): Weakened {
  let refused = false
  const weakened: Partial<SessionRecords> = {}
  let weakLock = lock

  const weaken: Partial<Record<Safeguard, () => void>> = {
    lock: () => {
      weakLock = noLock
    },
    're-read': () => {
      weakened.read = async () => (refused ? records.read() : records.current)
    },
    'replace-if-unchanged': () => {
      weakened.replace = next => records.replace(next)
    },
    'intent-mark': () => {
      weakened.replace = async (next, unchanged) => (next.pending ? true : records.replace(next, unchanged))
    },
    'store-before-use': () => {
      weakened.replace = async (next, unchanged) => {
        if (next.version === unchanged.version) return records.replace(next, unchanged)
        unwatched.keep(next, unchanged)
        void records.replace(next, unchanged).catch(() => {})
        return true
      }
    },
    'judge-re-read': () => {
      // what the server refused is removed, whatever the store holds by now
      weakened.read = async () => (refused ? records.current : records.read())
      weakened.clear = () => records.clear()
    },
    'sign-out-guard': () => {
      weakened.replace = async (next, unchanged) =>
        (await records.replace(next, unchanged)) || ((await records.read()) ? false : records.replace(next))
    },
  }
  for (const one of missing) weaken[one]?.()

  return {
    records: {
      get current() {
        return records.current
      },
      read: records.read,
      replace: records.replace,
      keep: records.keep,
      clear: records.clear,
      forget: records.forget,
      ...weakened,
    },
    lock: {
      run: (name, work, waitMs) =>
        weakLock.run(
          name,
          () => {
            refused = false
            return work()
          },
          waitMs,
        ),
    },
    refused() {
      refused = true
    },
  }
}

/** What the Web Lock is made of, as one that lacks a safeguard would use it. */
export function withoutWebLockSafeguard(
  missing: readonly Safeguard[],
  locks: LockManager,
  clock: Clock,
  lease: Lock,
): { locks: LockManager; clock: Clock; lease: Lock } {
  const isMissing = (safeguard: Safeguard) => missing.includes(safeguard)
  const request = locks.request.bind(locks)
  // one hold looks like the other
  const query = async () => ({ held: [{ name: 'latchkey', clientId: 'somebody' }] })
  return {
    locks: isMissing('holds-told-apart') ? ({ request, query } as LockManager) : locks,
    // nobody is ever granted the lock late
    clock: isMissing('late-means-lease')
      ? {
          now: () => 0,
          after: (ms, ...rest) => (ms === HOLD_MS ? () => {} : clock.after(ms, ...rest)),
        }
      : clock,
    lease: isMissing('lease-around-a-holder') ? noLock : lease,
  }
}
