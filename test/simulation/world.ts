import type { Host, Lock, News } from '../../src/core/ports.ts'
import { endedSessionOf, type SessionRecord, sessionOf } from '../../src/core/session.ts'
import type { EndReason } from '../../src/errors.ts'
import { leaseLock } from '../../src/lock/lease.ts'
import { localLock } from '../../src/lock/local.ts'
import { webLock } from '../../src/lock/web.ts'
import { limited } from '../../src/storage/limited.ts'
import { type AuthorizationServer, createAuthorizationServer } from './authorization-server.ts'
import { createLeaseServer } from './lease-server.ts'
import { createMachine } from './machine.ts'
import type { Parameters, Safeguard } from './parameters.ts'
import { type Client, createClient, RECORD } from './participant.ts'
import { createPresentations, type Presentations } from './presentations.ts'
import { createRealm, type Realm } from './realm.ts'
import { type Abilities, readByMost } from './releases.ts'
import { withoutWebLockSafeguard } from './safeguards.ts'
import { createScheduler, type Random, type Scheduler } from './scheduler.ts'
import { createStorage, type SharedStorage } from './storage.ts'
import { createWatch, type Invariant, type Watch } from './watch.ts'
import { createLockService } from './web-locks.ts'

/** How long a page waits for its host to start. */
const TAKEN_MS = 2000
/** And then for its result. */
const DONE_MS = 10_000

/** The faults of a schedule. */
export const FAULTS = [
  ...['lost request', 'lost answer', 'refusal', 'request given up', 'unfit answer', 'slow server'],
  ...['crash', 'freeze', 'clock jump', 'storage fault', 'lost news', 'caller gives up'],
  ...[
    'sign-out',
    'sign-in',
    'sign-in ended by a sign-out',
    'another session before a 401',
    'tokens revoked',
    'session revoked',
  ],
  ...[
    'holder gone around',
    'lock not to be had',
    'lease ran out under its holder',
    'clients with and without dpop',
    'clients of two releases',
    'owner of a lock file not visible',
  ],
  ...['refresh by a host', 'sign-out by a host', 'host gone around', 'host replaced'],
] as const
export type Fault = (typeof FAULTS)[number]

/** How often each event occurred: a simulation without events proves nothing. */
export const createCounts = () => ({
  schedules: 0,
  steps: 0,
  calls: 0,
  accepted: 0,
  unauthorized: 0,
  aborted: 0,
  failed: 0,
  tokenRequests: 0,
  lostAnswers: 0,
  adopted: 0,
  crashes: 0,
  freezes: 0,
  clockJumps: 0,
  signOuts: 0,
  signIns: 0,
  storageFaults: 0,
  degraded: 0,
  ended: {} as Partial<Record<EndReason, number>>,
  /** The number of schedules with the event. */
  met: Object.fromEntries(FAULTS.map(fault => [fault, 0])) as Record<Fault, number>,
})
export type Counts = ReturnType<typeof createCounts>

export interface World {
  readonly parameters: Parameters
  readonly random: Random
  readonly scheduler: Scheduler
  readonly server: AuthorizationServer
  readonly storage: SharedStorage
  readonly presentations: Presentations
  readonly watch: Watch
  readonly counts: Counts
  readonly missing: readonly Safeguard[]
  readonly trace: readonly string[]
  /** Clients that are alive or frozen. */
  readonly clients: readonly Client[]
  /** Whether it is the faulty period. */
  disturbed: boolean
  /** Ends the faulty period, for hosts that were replaced too. */
  calm(): void
  /** Only crashes and network faults: no freezes, no storage faults. */
  readonly isSound: boolean
  /** The record in the store. */
  stored(): SessionRecord | undefined
  say(who: string, what: string): void
  meet(fault: Fault): void
  weather(): Parameters['network']
  post(from: Realm, id: string, news: News): void
  /** What that realm has in memory cannot replace what a client of another kind has stored. */
  overtaken(realm: Realm): void
  /** A new page or process or, with a local lock, a page with several clients. */
  open(): void
  jump(realm: Realm, ms: number): void
}

export function createWorld(
  parameters: Parameters,
  random: Random,
  counts: Counts,
  { missing, tolerates }: { missing: readonly Safeguard[]; tolerates: readonly Invariant[] },
): World {
  const { lock, network, news, storage: disk } = parameters
  const scheduler = createScheduler()
  const trace: string[] = []
  const say = (who: string, what: string) => {
    trace.push(`${(scheduler.now / 1000).toFixed(3).padStart(8)} s  ${who.padEnd(8)} ${what}`)
  }
  const server = createAuthorizationServer(parameters, scheduler, what => {
    say('server', what)
    if (parameters.gentle && what.endsWith('reuse')) watch.violate('lost answers are survived', what)
  })
  const met = new Set<Fault>()
  const meet = (fault: Fault) => {
    if (met.has(fault)) return
    met.add(fault)
    counts.met[fault]++
  }
  const storageFailures = new Map<Realm, number>()
  const presentations = createPresentations(
    parameters,
    (realm, at) => (storageFailures.get(realm) ?? -1) >= at,
    what => watch.violate('one redemption', what),
  )
  const stored = () => sessionOf(readByMost(storage.peek(RECORD)))
  const watch = createWatch({ parameters, scheduler, server, presentations, stored, tolerates })
  const failedStorage = (realm: Realm, what: string) => {
    counts.storageFaults++
    meet('storage fault')
    storageFailures.set(realm, Infinity)
    say(realm.id, `storage: ${what}`)
  }
  const storage = createStorage({
    ...{ scheduler, random, delayMs: disk.delayMs, inOrder: disk.inOrder },
    faults: () => (world.disturbed ? disk.faults : 0),
    full: () => (world.disturbed ? disk.full : 0),
    failed: failedStorage,
    committed(realm, key, before, after) {
      if (key !== RECORD) return
      const parsed = readByMost(after)
      const record = sessionOf(parsed)
      const mark = record?.pending ? ', marked' : ''
      const what = record
        ? `${record.tokens.refreshToken} (version ${record.version}${mark})`
        : `no session: ${endedSessionOf(parsed)?.ended}`
      say('store', `holds ${what}, written by ${realm.id}`)
      watch.committed(realm, before, after)
    },
  })
  const lockService = createLockService({
    delayMs: () => random.between(0, 5),
    now: () => scheduler.now,
    after: (ms, run) => void scheduler.after(ms, run),
    say: (who, what) => what.includes(' held ') || say(who, what),
  })
  const leaseServer = createLeaseServer({
    ...{ scheduler, random, missing, delayMs: disk.delayMs, newsLost: news.lost },
    faults: () => (world.disturbed ? disk.faults : 0),
    failed: failedStorage,
    ranOut(holder) {
      meet('lease ran out under its holder')
      say(holder.id, 'still works under a lease that has run out')
    },
  })
  const machine = createMachine({
    ...{ scheduler, random, missing },
    faults: () => (world.disturbed ? disk.faults : 0),
    failed: failedStorage,
    waitsUnseen: () => meet('owner of a lock file not visible'),
  })
  const sharedDevice = { offMs: 0 }
  const devices = new Map<Realm, { offMs: number }>()
  const clients: Client[] = []
  let opened = 0

  const lockFor = (realm: Realm): Lock => {
    if (lock === 'local') return localLock(realm.clock)
    if (lock === 'redis') return leaseServer.openedBy(realm)
    if (lock === 'file') return machine.openedBy(realm)
    const lease = leaseLock(limited(storage.openedBy(realm), realm.clock), realm.clock, random.next)
    if (lock === 'lease') return lease
    const weakened = withoutWebLockSafeguard(missing, lockService.openedBy(realm), realm.clock, lease)
    const around: Lock = {
      run(name, work, waitMs) {
        say(realm.id, 'takes the lease, around the holder of the lock')
        meet('holder gone around')
        return weakened.lease.run(name, work, waitMs)
      },
    }
    return webLock(weakened.locks, weakened.clock, around)
  }

  const newRealm = (id: string, crashed: (dead: Realm) => void): Realm => {
    const device = parameters.ownClocks ? { offMs: 0 } : sharedDevice
    const realm = createRealm(id, {
      ...{ scheduler, random, device, inOrder: disk.inOrder },
      risk: () => (world.disturbed ? parameters : { crash: 0, freeze: 0 }),
      crashed(dead) {
        counts.crashes++
        meet('crash')
        say(dead.id, 'crashes')
        crashed(dead)
      },
      frozen(cold, ms) {
        counts.freezes++
        meet('freeze')
        say(cold.id, `freezes for ${ms / 1000} s`)
      },
    })
    devices.set(realm, device)
    return realm
  }

  let host: Client | undefined
  /** The running host, or a new one. It may be frozen. */
  const currentHost = (): Client => {
    const isReplaced = world.disturbed && random.chance(parameters.hostReplaced)
    if (host && host.realm.state !== 'dead' && !isReplaced) return host
    if (host) meet('host replaced')
    const realm = newRealm(`host${++opened}`, () => {})
    const own = missing.includes('host-shares-the-lock') ? localLock(realm.clock) : lockFor(realm)
    host = createClient(world, realm.id, realm, own)
    say(realm.id, 'starts')
    return host
  }
  /** How a page uses its host: see `src/worker/page.ts`. */
  const hostOf = (page: Realm): Host => {
    /** @param run calls `taken` when the host has begun. */
    const ask = (
      what: 'refresh' | 'sign-out',
      waitsForEnd: boolean,
      run: (host: Client, taken: () => void) => Promise<void>,
    ) =>
      new Promise<boolean>(resolve => {
        meet(`${what} by a host` as const)
        let isSettled = false
        const settle = (isDone: boolean) => {
          if (isSettled) return
          isSettled = true
          cancel()
          if (!isDone) meet('host gone around')
          resolve(isDone)
        }
        let cancel = page.clock.after(TAKEN_MS, () => settle(false))
        const isLate = world.disturbed && random.chance(parameters.hostLate)
        const reply = (run: () => void) => page.later(random.between(1, 5), 'news', run)
        scheduler.after(isLate ? 5000 : random.between(1, 20), () => {
          const asked = currentHost()
          asked.realm.later(0, 'news', () => {
            const taken = () =>
              reply(() => {
                if (!waitsForEnd) return settle(true)
                cancel()
                if (!isSettled) cancel = page.clock.after(DONE_MS, () => settle(false))
              })
            asked.realm.onCrash(() => reply(() => settle(false)))
            const over = () => reply(() => settle(waitsForEnd))
            run(asked, taken).then(over, over)
          })
        })
      })
    return {
      inUse: () => 'shared worker',
      refresh: request =>
        ask('refresh', true, (asked, taken) => {
          taken()
          return asked.hosted.refresh(request)
        }),
      signOut(sessionId) {
        const began = scheduler.now
        return ask('sign-out', false, (asked, taken) => {
          asked.signedOutOf.add(sessionId)
          return asked.hosted.signOut(sessionId, taken).finally(watch.signsOut(asked, began))
        })
      },
      close() {},
    }
  }

  const world: World = {
    ...{ parameters, random, scheduler, server, storage, presentations, watch, counts, missing, trace },
    meet,
    overtaken: realm => void storageFailures.set(realm, Infinity),
    clients,
    disturbed: true,
    calm() {
      world.disturbed = false
      say('world', 'is calm')
      for (const realm of devices.keys()) realm.thaw()
    },
    isSound: parameters.freeze === 0 && disk.faults === 0 && disk.full === 0,
    stored,
    say,
    weather: () =>
      world.disturbed ? network : { ...network, slow: 0, lostBefore: 0, lostAfter: 0, refused: 0 },
    post(from, id, what) {
      for (const client of host ? [...clients, host] : clients) {
        if (client.id === id || client.realm.state === 'dead') continue
        if (client.realm !== from && random.chance(news.lost)) {
          meet('lost news')
          continue
        }
        client.realm.later(random.between(1, news.delayMs), 'news', () => client.hear(what))
      }
    },
    open() {
      const realm = newRealm(`${lock === 'local' ? 'page' : 'tab'}${++opened}`, dead => {
        clients.splice(0, clients.length, ...clients.filter(({ realm: home }) => home !== dead))
        scheduler.after(random.between(10, parameters.gentle ? 500 : 4000), world.open)
      })
      const own = lockFor(realm)
      for (let index = 0; index < (lock === 'local' ? parameters.contexts : 1); index++) {
        const id = lock === 'local' ? `${realm.id}${'abc'[index]}` : realm.id
        const isBound = parameters.mixed && random.chance(0.5)
        const abilities: Abilities = {
          isLater: parameters.releases && random.chance(0.5),
          ...(isBound && { tokenType: 'dpop' }),
        }
        const isHosted = parameters.hosted && !isBound && !abilities.isLater
        const asked = isHosted ? hostOf(realm) : undefined
        const client = createClient(world, id, realm, own, abilities, asked)
        if (isBound) meet('clients with and without dpop')
        if (abilities.isLater) meet('clients of two releases')
        clients.push(client)
        say(id, 'starts')
        client.start().catch(error => watch.rejected(client, undefined, error, false))
      }
    },
    jump(realm, ms) {
      const device = devices.get(realm) ?? sharedDevice
      counts.clockJumps++
      meet('clock jump')
      device.offMs += ms
      say(realm.id, `its clock jumps by ${ms / 1000} s`)
    },
  }
  return world
}
