import type { Clock, Lock, Store } from '../core/ports.ts'
import { withTimeLimit } from '../core/time-limit.ts'
import { broadcastChannel } from '../refresh/channel.ts'
import { indexedDbKeyValue } from '../store/indexeddb.ts'
import { limited } from '../store/limited.ts'
import { indexedDb } from './browser-stores.ts'
import { deviceClock } from './device-clock.ts'
import { type CapabilityReport, judge, type SharedBy } from './judge-promises.ts'
import { memory } from './memory-store.ts'

export type { CapabilityReport, Holds, PromiseName, Promises, SharedBy, Verdict } from './judge-promises.ts'

/** The runtime as this module meets it: what a test hands in, in place of the real one. */
export interface Surroundings {
  readonly clock: Clock
  readonly locks: Pick<LockManager, 'request'> | undefined
  readonly subtle: SubtleCrypto | undefined
  readonly persisted: (() => Promise<boolean>) | undefined
  /** Whether a message from one channel arrives at another. */
  hears(signal: AbortSignal): Promise<boolean>
  /** Writes a key and reads it back. */
  keeps(key: CryptoKey): Promise<unknown>
}

/** One attempt at most, in milliseconds. */
const TRY_MS = 2000

/** Reading a global may throw as well (sandboxed frames). */
const peek = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const here: Surroundings = {
  clock: deviceClock,
  get locks() {
    return peek(() => globalThis.navigator?.locks)
  },
  get subtle() {
    return peek(() => globalThis.crypto?.subtle)
  },
  get persisted() {
    const manager = peek(() => globalThis.navigator?.storage)
    return manager?.persisted && (() => manager.persisted())
  },
  async hears(signal) {
    const name = `latchkey probe ${Math.random()}`
    const [one, other] = [broadcastChannel(name), broadcastChannel(name)]
    try {
      return await new Promise<boolean>(resolve => {
        signal.addEventListener('abort', () => resolve(false))
        other.listen(() => resolve(true))
        one.post({ type: 'session-changed' })
      })
    } finally {
      one.close()
      other.close()
    }
  },
  async keeps(key) {
    const place = indexedDbKeyValue('latchkey keys', deviceClock)
    const name = `latchkey probe ${Math.random()}`
    try {
      await place.update(name, () => key)
      return await place.get(name)
    } finally {
      await place.update(name, () => undefined)
    }
  },
}

const AES = { name: 'AES-GCM', length: 256 }

async function keepsKeys({ subtle, keeps }: Surroundings): Promise<boolean> {
  if (!subtle) return false
  const found = await keeps(await subtle.generateKey(AES, false, ['encrypt', 'decrypt']))
  const key = found as CryptoKey
  if (key.extractable) return false
  const iv = new Uint8Array(12)
  const sealed = await subtle.encrypt({ name: AES.name, iv }, key, new Uint8Array(1))
  return sealed.byteLength > 1
}

/** What is known of latchkey's own stores; of another, only what can be tried. */
const sharedByName: Readonly<Record<string, SharedBy>> = {
  indexedDb: 'origin',
  sessionStorage: 'tab',
  memory: 'realm',
  host: 'realm',
  file: 'processes',
}

/** Whether the lock keeps a second one out while the first is inside. */
async function excludes(lock: Lock): Promise<boolean> {
  const name = `latchkey probe ${Math.random()}`
  let inside = 0
  let most = 0
  const visit = async () => {
    most = Math.max(most, ++inside)
    await new Promise(resolve => setTimeout(resolve, 0))
    inside--
  }
  await Promise.all([lock.run(name, visit, TRY_MS), lock.run(name, visit, TRY_MS)])
  return most === 1
}

/**
 * Tells what this runtime gives and which of the seven promises therefore hold. Everything is tried, nothing is believed
 * for being there; takes 2 s for each attempt at most. Never rejects.
 * @param store Default: the one that `createClient` of `latchkey` takes here.
 */
export async function capabilities(store?: Store, around: Surroundings = here): Promise<CapabilityReport> {
  const attempt = <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> =>
    withTimeLimit(
      around.clock,
      TRY_MS,
      async signal => work(signal),
      () => new Error('late'),
    ).catch(() => undefined)
  const chosen = store ?? (peek(() => globalThis.indexedDB) ? indexedDb() : memory())
  const base = chosen.name.replace(/^sealed /, '')
  const keyValue = limited(chosen.keyValue, around.clock)
  let degraded: string | undefined
  chosen.onDegraded?.(message => {
    degraded = message
  })

  const writes = async () => {
    const name = `latchkey probe ${Math.random()}`
    await keyValue.update(name, () => ({ is: 'there' }))
    try {
      return JSON.stringify(await keyValue.get(name)) === '{"is":"there"}'
    } finally {
      await keyValue.update(name, () => undefined)
    }
  }
  // first, because a store may find by it that it has to take another place
  const works = await writes().catch(() => false)
  const [isExclusive, hasWebLocks, hears, persisted, digest, nonExtractableKeys] = await Promise.all([
    attempt(() => excludes(chosen.lock)),
    attempt(async signal =>
      around.locks?.request(`latchkey probe ${Math.random()}`, { signal }, async lock => lock !== null),
    ),
    attempt(signal => around.hears(signal)),
    attempt(async () => around.persisted?.()),
    attempt(async () => around.subtle?.digest('SHA-256', new Uint8Array(1))),
    attempt(() => keepsKeys(around)),
  ])

  const known = sharedByName[base]
  const isKept = peek(() => chosen.isKept?.() ?? true) ?? false
  const sharedBy = degraded ? (isKept ? 'tab' : 'realm') : (known ?? 'unknown')
  const isShared = sharedBy === 'origin'
  const found = {
    store: {
      name: chosen.name,
      works,
      degraded,
      sharedBy,
      survivesReload: works && isKept,
      persisted: isShared ? persisted : undefined,
    },
    lock: lockOf(sharedBy, isExclusive ?? false, hasWebLocks ?? false),
    news: isShared && hears ? 'broadcast-channel' : sharedBy === 'unknown' ? 'own' : 'none',
    webCrypto: digest !== undefined,
    nonExtractableKeys: nonExtractableKeys ?? false,
  } as const
  return deepFreeze({ ...found, promises: judge(found) })
}

const lockOf = (sharedBy: SharedBy, isExclusive: boolean, hasWebLocks: boolean): CapabilityReport['lock'] => {
  if (!isExclusive) return 'none'
  if (sharedBy === 'origin') return hasWebLocks ? 'web-locks' : 'lease'
  return sharedBy === 'tab' || sharedBy === 'realm' ? 'realm' : 'own'
}

const deepFreeze = <T extends object>(whole: T): T => {
  for (const part of Object.values(whole)) if (typeof part === 'object' && part) deepFreeze(part)
  return Object.freeze(whole)
}
