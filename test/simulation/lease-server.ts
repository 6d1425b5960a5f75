import type { Lock } from '../../src/core/ports.ts'
import { EXISTS, RELEASE, redisLock, TAKE } from '../../src/lock/redis.ts'
import { boundedEvaluate, type Evaluate } from '../../src/storage/redis.ts'
import type { Safeguard } from './parameters.ts'
import type { Realm } from './realm.ts'
import type { Random, Scheduler } from './scheduler.ts'

export interface LeaseServerPorts {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly missing: readonly Safeguard[]
  /** A command, and its answer, take up to this. */
  readonly delayMs: number
  /** Probability of a fault per command; asked each time, because the disturbance stops. */
  faults(): number
  /** Probability that a process does not hear of a release. */
  readonly newsLost: number
  failed(realm: Realm, what: string): void
  /** The lease of a holder that lives has run out, and somebody else takes it. */
  ranOut(holder: Realm): void
}

/**
 * Redis, as far as the lease needs it: it runs one script after the other, and lets a lease run out by its own clock,
 * whatever the holder of that lease does meanwhile.
 */
export interface LeaseServer {
  /** A connection of that process. */
  openedBy(realm: Realm): Lock
}

interface Lease {
  readonly owner: string
  readonly by: Realm
  readonly endsAt: number
}

export function createLeaseServer(ports: LeaseServerPorts): LeaseServer {
  const { scheduler, random, missing } = ports
  const leases = new Map<string, Lease>()
  const subscribers = new Set<{ realm: Realm; released(name: string): void }>()

  const publish = (message: string) => {
    const { released } = JSON.parse(message) as { released: string }
    for (const { realm, released: tell } of subscribers)
      if (!random.chance(ports.newsLost)) realm.later(random.between(1, 10), 'news', () => tell(released))
  }
  const scripts: Readonly<Record<string, (by: Realm, key: string, args: readonly string[]) => unknown>> = {
    [TAKE](by, key, [owner = '', ms]) {
      const found = leases.get(key)
      // the key exists still in its last millisecond, as in Redis
      if (found && found.endsAt >= scheduler.now) return Math.max(found.endsAt - scheduler.now, 1)
      if (found && found.by.state !== 'dead') ports.ranOut(found.by)
      const lasts = Number(ms) / (missing.includes('lease-outlives-a-hold') ? 4 : 1)
      leases.set(key, { owner, by, endsAt: scheduler.now + lasts })
      return 0
    },
    [RELEASE](_by, key, [owner, , message = '']) {
      const isOwn = leases.get(key)?.owner === owner || missing.includes('own-lease-is-released')
      if (!isOwn || !leases.delete(key)) return 0
      publish(message)
      return 1
    },
    [EXISTS]: (_by, key) => ((leases.get(key)?.endsAt ?? 0) >= scheduler.now ? 1 : 0),
  }

  return {
    openedBy(realm) {
      const wakes = new Map<string, Set<() => void>>()
      subscribers.add({
        realm,
        released(name) {
          for (const wake of wakes.get(name) ?? []) wake()
        },
      })
      const passes = () => random.between(0, ports.delayMs)
      const evaluate: Evaluate = (script, [key = ''], args) =>
        new Promise((resolve, reject) => {
          const isFaulty = random.chance(ports.faults())
          const fault = isFaulty ? random.pick(['refused', 'slow', 'lost', 'unanswered']) : undefined
          if (fault) ports.failed(realm, `a command to the lease server is ${fault}`)
          const refuse = () => reject(new Error('the connection is closed'))
          if (fault === 'refused') return void realm.later(passes(), 'storage', refuse)
          if (fault === 'lost') return
          // what was sent is carried out, whatever becomes of its sender
          scheduler.after(fault === 'slow' ? random.between(1000, 6000) : passes(), () => {
            const answer = scripts[script]?.(realm, key, args)
            if (fault !== 'unanswered') realm.later(passes(), 'storage', () => resolve(answer))
          })
        })
      return redisLock({
        evaluate: boundedEvaluate({ evaluate }, realm.clock),
        namespace: '{latchkey}',
        channel: 'latchkey',
        clock: realm.clock,
        onRelease(name, wake) {
          const waiting = wakes.get(name) ?? new Set()
          wakes.set(name, waiting.add(wake))
          return () => waiting.delete(wake)
        },
        random: random.next,
      })
    },
  }
}
