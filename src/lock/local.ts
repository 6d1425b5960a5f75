import { lockTimeout } from '../core/lock-times.ts'
import type { Clock, Lock } from '../core/ports.ts'

/** A lock within one realm, for stores that no other realm can see. */
export function localLock(clock: Clock): Lock {
  const tails = new Map<string, Promise<void>>()
  return {
    isHeld: async name => tails.has(name),
    run: <T>(name: string, work: () => Promise<T>, waitMs: number) =>
      new Promise<T>((resolve, reject) => {
        const before = tails.get(name) ?? Promise.resolve()
        let late = false
        const cancel = clock.after(waitMs, () => {
          late = true
          reject(lockTimeout(name, waitMs))
        })
        const turn = before.then(async () => {
          cancel()
          if (!late) await work().then(resolve, reject)
        })
        tails.set(name, turn)
        void turn.then(() => {
          if (tails.get(name) === turn) tails.delete(name)
        })
      }),
  }
}
