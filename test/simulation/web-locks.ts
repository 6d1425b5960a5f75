import type { Realm } from './realm.ts'

interface Request {
  readonly realm: Realm
  /** Runs the callback in its realm. */
  grant(release: () => void): void
}

type Callback = (lock: Lock | null) => Promise<unknown>

/**
 * The part of the Web Locks API that latchkey uses, as specified: one queue per name, a request can be aborted until
 * its callback runs, and a lock goes with its realm. A frozen realm keeps what it holds.
 */
export interface LockService {
  openedBy(realm: Realm): LockManager
}

export function createLockService(delayMs: () => number): LockService {
  const queues = new Map<string, Request[]>()

  const leave = (name: string, request: Request) => {
    const queue = queues.get(name) ?? []
    const place = queue.indexOf(request)
    if (place < 0) return
    queue.splice(place, 1)
    if (place === 0) serve(name)
  }
  const serve = (name: string) => {
    const first = queues.get(name)?.[0]
    first?.grant(() => leave(name, first))
  }

  const request = (realm: Realm, name: string, signal: AbortSignal, callback: Callback) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const own: Request = {
        realm,
        grant(release) {
          realm.later(delayMs(), 'lock', () => {
            if (signal.aborted) return // it left when it was aborted
            signal.removeEventListener('abort', abort)
            callback({ name, mode: 'exclusive' }).then(resolve, reject).finally(release)
          })
        },
      }
      const abort = () => {
        reject(signal.reason)
        leave(name, own)
      }
      signal.addEventListener('abort', abort)
      realm.onCrash(() => leave(name, own))
      const queue = queues.get(name) ?? []
      queues.set(name, queue)
      if (queue.push(own) === 1) serve(name)
    })

  return {
    openedBy: realm => {
      const manager = {
        request: (name: string, { signal }: { signal: AbortSignal }, callback: Callback) =>
          request(realm, name, signal, callback),
        query: async () => ({}),
      }
      return manager as unknown as LockManager
    },
  }
}
