import type { KeyValue } from '../../src/core/ports.ts'
import type { Realm } from './realm.ts'
import type { Random, Scheduler } from './scheduler.ts'

type Fault = 'rejects' | 'hangs' | 'slow' | 'twice' | 'rejects although done'

export interface StoragePorts {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly delayMs: number
  readonly inOrder: boolean
  /** Probability of a fault per call. Read each time, because the faults stop. */
  faults(): number
  /** Probability per write that the place is full for a while. */
  full(): number
  failed(realm: Realm, what: string): void
  /** Called inside the atomic step. */
  committed(realm: Realm, key: string, before: unknown, after: unknown): void
}

/** A store that all realms share. Every call takes a while and takes effect at one moment of it. */
export interface SharedStorage {
  peek(key: string): unknown
  openedBy(realm: Realm): KeyValue
}

export function createStorage(ports: StoragePorts): SharedStorage {
  const { scheduler, random } = ports
  const entries = new Map<string, unknown>()
  let fullUntil = 0
  const isFull = (): boolean => {
    const chance = ports.full()
    if (chance && scheduler.now >= fullUntil && random.chance(chance))
      fullUntil = scheduler.now + random.between(1000, 30_000)
    return chance > 0 && scheduler.now < fullUntil
  }

  const commit = (realm: Realm, key: string, change: (stored: unknown) => unknown) => {
    const before = entries.get(key)
    const after = change(before)
    if (after === before) return
    if (after === undefined) entries.delete(key)
    else entries.set(key, after)
    ports.committed(realm, key, before, after)
  }

  return {
    peek: key => entries.get(key),
    openedBy(realm) {
      let lastAt = 0
      const reads: symbol[] = []
      /** When the later of a call's two moments occurs. */
      const soon = () => {
        const wait = random.between(0, ports.delayMs)
        if (!ports.inOrder) return wait
        lastAt = Math.max(lastAt, scheduler.now + wait)
        return lastAt - scheduler.now
      }
      const drawFault = (what: string, writes: boolean): Fault | undefined => {
        if (writes && isFull()) {
          ports.failed(realm, `${what} rejects: full`)
          return 'rejects'
        }
        if (!random.chance(ports.faults())) return undefined
        const fault = random.pick<Fault>(
          writes
            ? ['rejects', 'hangs', 'slow', 'twice', 'rejects although done']
            : ['rejects', 'hangs', 'slow'],
        )
        ports.failed(realm, `${what} ${fault}`)
        return fault
      }
      const call = <T>(what: string, writes: boolean, work: () => T): Promise<T> =>
        new Promise((resolve, reject) => {
          const fault = drawFault(what, writes)
          const refuse = () => reject(new Error('the disk is full'))
          if (fault === 'hangs') return
          if (fault === 'rejects') return void realm.later(soon(), 'storage', refuse)
          const own = Symbol(what)
          if (!writes && !fault) reads.push(own)
          const done = () => {
            // reads and writes may overtake each other, but no store reorders two reads of one context
            const place = reads.indexOf(own)
            if (place > 0) return void realm.later(1, 'storage', done)
            if (place === 0) reads.shift()
            const found = work()
            if (fault === 'twice') work()
            const answer = fault === 'rejects although done' ? refuse : () => resolve(found)
            realm.later(soon(), 'storage', answer)
          }
          const wait = fault === 'slow' ? random.between(1500, 6000) : soon()
          // calls in progress when their realm died may still take effect
          if (writes && random.chance(0.3)) scheduler.after(wait, done)
          else realm.later(wait, 'storage', done)
        })
      return {
        get: key => call('read', false, () => entries.get(key)),
        update: (key, change) => call('write', true, () => commit(realm, key, change)),
        keys: prefix => call('list', false, () => [...entries.keys()].filter(key => key.startsWith(prefix))),
      }
    },
  }
}
