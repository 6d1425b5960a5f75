import type { Clock } from '../../src/core/ports.ts'
import type { Random, Scheduler } from './scheduler.ts'

/** The kind of event that arrives in a realm. */
export type Delivery = 'timer' | 'storage' | 'network' | 'lock' | 'news' | 'call'

export interface RealmPorts {
  readonly scheduler: Scheduler
  readonly random: Random
  /** Per delivery. Read each time, because the faults stop. */
  risk(): { crash: number; freeze: number }
  /** The offset of the device's clock in milliseconds. */
  readonly device: { offMs: number }
  readonly inOrder: boolean
  crashed(realm: Realm): void
  frozen(realm: Realm, ms: number): void
}

/** A page, worker or process. All its events are delivered through this object, so it can die or freeze at any await. */
export interface Realm {
  readonly id: string
  readonly state: 'running' | 'frozen' | 'dead'
  readonly clock: Clock
  readonly bornAt: number
  /** Virtual time in which it was running. */
  readonly awakeMs: number
  /** When it acquired its latest Web Lock. */
  lockedAt: number
  /** Whether it was frozen at any moment after that. */
  wasFrozenSince(at: number): boolean
  /** Runs `run` in the realm after that time, if the realm is alive and when it is not frozen. */
  later(ms: number, kind: Delivery, run: () => void): () => void
  crash(): void
  thaw(): void
  onCrash(listener: () => void): void
}

interface Item {
  readonly kind: Delivery
  run: (() => void) | undefined
}

const EPOCH = Date.UTC(2026, 0, 1)

export function createRealm(id: string, ports: RealmPorts): Realm {
  const { scheduler, random, device } = ports
  const bornAt = scheduler.now
  const crashListeners: (() => void)[] = []
  let held: Item[] = []
  let state: Realm['state'] = 'running'
  let frozenMs = 0
  let frozenAt = -1
  let thawedAt = -1

  const freeze = (ms: number) => {
    state = 'frozen'
    frozenAt = scheduler.now
    ports.frozen(realm, ms)
    scheduler.after(ms, realm.thaw)
  }
  const arrive = (item: Item) => {
    if (!item.run || state === 'dead') return
    if (state === 'running' && item.kind !== 'call') {
      const { crash, freeze: freezing } = ports.risk()
      // timers are numerous, and the interesting moments are the others
      const weight = item.kind === 'timer' ? 0.3 : 1
      if (random.chance(crash * weight)) return realm.crash()
      if (random.chance(freezing * weight)) freeze(random.pick([1000, 13_000, 20_000, 180_000]))
    }
    if (state === 'frozen') held.push(item)
    else item.run()
  }

  const realm: Realm = {
    id,
    bornAt,
    lockedAt: bornAt,
    get state() {
      return state
    },
    clock: {
      now: () => EPOCH + scheduler.now + device.offMs,
      after: (ms, run) => realm.later(ms, 'timer', run),
    },
    get awakeMs() {
      return scheduler.now - bornAt - frozenMs - (state === 'frozen' ? scheduler.now - frozenAt : 0)
    },
    wasFrozenSince: at => state === 'frozen' || thawedAt >= at,
    later(ms, kind, run) {
      const item: Item = { kind, run }
      const cancel = scheduler.after(ms, () => arrive(item))
      return () => {
        item.run = undefined
        cancel()
      }
    },
    crash() {
      if (state === 'dead') return
      state = 'dead'
      held = []
      ports.crashed(realm)
      for (const listener of crashListeners) listener()
    },
    thaw() {
      if (state !== 'frozen') return
      state = 'running'
      frozenMs += scheduler.now - frozenAt
      thawedAt = scheduler.now
      const waiting = held
      held = []
      let last = 0
      for (const item of waiting) {
        let delay = random.between(0, 20)
        if (item.kind === 'storage' && ports.inOrder) last = delay = Math.max(delay, last)
        scheduler.after(delay, () => arrive(item))
      }
    },
    onCrash: listener => void crashListeners.push(listener),
  }
  return realm
}
