import type { Realm } from './realm.ts'

interface Request {
  readonly realm: Realm
  /** Runs the callback in its realm. */
  grant(release: () => void): void
}

type Callback = (lock: Lock | null) => unknown

/**
 * The part of the Web Locks API that latchkey uses, as specified: one queue per name, a request can be aborted until its
 * callback runs, and a lock ends with its realm. A frozen realm keeps the locks it holds and is granted those it waits for.
 */
export interface LockService {
  openedBy(realm: Realm): LockManager
}

export interface LockServicePorts {
  delayMs(): number
  now(): number
  /** Runs a task outside all realms. */
  after(ms: number, run: () => void): void
  say(who: string, what: string): void
}

export function createLockService({ delayMs, now, after, say }: LockServicePorts): LockService {
  const queues = new Map<string, Request[]>()

  const leave = (name: string, request: Request) => {
    const queue = queues.get(name) ?? []
    const place = queue.indexOf(request)
    if (place < 0) return
    queue.splice(place, 1)
    if (queue.length === 0) queues.delete(name)
    if (place === 0) serve(name)
  }
  const serve = (name: string) => {
    const first = queues.get(name)?.[0]
    first?.grant(() => leave(name, first))
  }

  const request = (realm: Realm, name: string, callback: Callback, signal?: AbortSignal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const own: Request = {
        realm,
        grant(release) {
          realm.later(delayMs(), 'lock', async () => {
            if (signal?.aborted) return // an abort has removed it
            signal?.removeEventListener('abort', abort)
            say(realm.id, `holds the lock "${name}"`)
            realm.lockedAt = now()
            try {
              resolve(await callback({ name, mode: 'exclusive' }))
            } catch (error) {
              reject(error)
            } finally {
              release()
            }
          })
        },
      }
      const abort = () => {
        reject(signal?.reason)
        leave(name, own)
      }
      signal?.addEventListener('abort', abort)
      realm.onCrash(() => leave(name, own))
      const queue = queues.get(name) ?? []
      queues.set(name, queue)
      if (queue.push(own) === 1) serve(name)
    })

  const query = (realm: Realm) =>
    new Promise<LockManagerSnapshot>(resolve => {
      after(delayMs(), () => {
        const held: LockInfo[] = []
        const pending: LockInfo[] = []
        for (const [name, queue] of queues) {
          for (const [place, { realm: home }] of queue.entries()) {
            const info: LockInfo = { name, mode: 'exclusive', clientId: home.id }
            if (place === 0) held.push(info)
            else pending.push(info)
          }
        }
        realm.later(delayMs(), 'lock', () => resolve({ held, pending }))
      })
    })

  return {
    openedBy: realm => {
      const manager = {
        request: (name: string, ...rest: [Callback] | [{ signal?: AbortSignal }, Callback]) =>
          rest.length === 1 ? request(realm, name, rest[0]) : request(realm, name, rest[1], rest[0].signal),
        query: () => query(realm),
      }
      return manager as unknown as LockManager
    },
  }
}
