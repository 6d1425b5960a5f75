import type { KeyValue, Reach, Store } from '../../core/ports.ts'
import { withTimeLimit } from '../../core/waiting.ts'
import { indexedDbKeyValue } from '../../storage/indexeddb.ts'
import { deviceClock } from '../device.ts'
import { memory } from '../memory.ts'
import { indexedDb } from './places.ts'
import { browserStore } from './stores.ts'

/** What this runtime supports, as plain JSON. `capabilities()` finds out by trying. */
export interface Capabilities {
  /** The name of the store. */
  readonly store: string
  /** Whether a value that was written to the store can be read back. */
  readonly works: boolean
  /** Who shares the stored records, and how long they last: see `Reach`. */
  readonly reach: Reach
  /** `durable`: the browser asks the user before it removes stored data. `evictable`: it may remove them without asking. */
  readonly persistence: 'durable' | 'evictable' | 'until-the-tab-closes' | 'until-the-page-goes'
  /**
   * What prevents two clients that share the store from refreshing at the same time. `none`: no other tab, worker or program
   * shares it, or its lock does not work.
   */
  readonly locks: 'web-locks' | 'lease' | 'store' | 'none'
  /**
   * Whether clients that share the store hear of each other's sign-ins and sign-outs immediately. With `file()`, only those of
   * the same process do.
   */
  readonly channels: boolean
  /** Whether IndexedDB can store a non-extractable key. `sealed()` and `dpop()` need that. */
  readonly nonExtractableKeys: boolean
  /** latchkey's seven promises, and which of them hold in this runtime. */
  readonly promises: Readonly<Record<PromiseName, Promised>>
}

export type PromiseName =
  | 'oneRedemption'
  | 'durableBeforeUsed'
  | 'onlyTheServerEndsASession'
  | 'tokensGoNowhereElse'
  | 'fetchIsFetch'
  | 'freeWhenFresh'
  | 'everyFailureHasAName'

export interface Promised {
  readonly holds: boolean
  readonly why: string
}

/** The time limit of each test. */
const TRY_MS = 2000
const NEWS_MS = 500

const attempt = async <T>(work: () => Promise<T>, otherwise: T, ms = TRY_MS): Promise<T> => {
  try {
    return await withTimeLimit(deviceClock, ms, work, () => new Error())
  } catch {
    return otherwise
  }
}

const newName = () => `latchkey probe ${crypto.randomUUID()}`

/** Writes a value, reads it back and removes it. @returns what was read. */
async function readBack(place: KeyValue, value: unknown): Promise<unknown> {
  const name = newName()
  await place.update(name, () => value)
  const found = await place.get(name)
  await place.update(name, () => undefined)
  return found
}

const canKeep = (store: Store) =>
  attempt(async () => (await readBack(store.keyValue, 'kept')) === 'kept', false)

const canLock = (store: Store) =>
  attempt(() => store.lock.run('latchkey probe', async () => true, TRY_MS), false)

const hasWebLocks = () =>
  attempt(() => globalThis.navigator.locks.request('latchkey probe', async () => true), false)

const canTell = (store: Store) =>
  attempt(async () => {
    const name = newName()
    const [one, other] = [store.channel(name), store.channel(name)]
    try {
      return await new Promise<boolean>(resolve => {
        other.listen(() => resolve(true))
        one.post({ type: 'session-changed' })
        deviceClock.after(NEWS_MS, () => resolve(false), true)
      })
    } finally {
      one.close()
      other.close()
    }
  }, false)

const canKeepKeys = () =>
  attempt(async () => {
    const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt'])
    const key = (await readBack(indexedDbKeyValue('latchkey keys', deviceClock), made)) as CryptoKey
    const iv = new Uint8Array(12)
    await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, iv)
    return !key.extractable
  }, false)

const isPersisted = () =>
  attempt(async () => (await globalThis.navigator?.storage?.persisted()) === true, false)

const promised = (holds: boolean, why: string): Promised => Object.freeze({ holds, why })

/**
 * Tests what this runtime supports for a client with that store, and which of latchkey's seven promises therefore hold. It
 * writes a few test records and removes them. It never rejects, and takes a few seconds at most.
 * @param given the client's store. Default: the store that `createClient` chooses in a browser.
 */
export async function capabilities(given?: Store): Promise<Capabilities> {
  const store = given ?? browserStore(indexedDb, memory)
  const works = await canKeep(store)
  const reach = store.reach?.() ?? 'device' // after the first write, because the store may have switched to another place
  const [lock, webLocks, channels, nonExtractableKeys, persisted] = await Promise.all([
    canLock(store),
    hasWebLocks(),
    canTell(store),
    canKeepKeys(),
    isPersisted(),
  ])
  const isShared = reach === 'origin' || reach === 'device'
  const locks = !lock || !isShared ? 'none' : reach === 'device' ? 'store' : webLocks ? 'web-locks' : 'lease'
  const persistence =
    reach === 'page'
      ? 'until-the-page-goes'
      : reach === 'tab'
        ? 'until-the-tab-closes'
        : reach === 'device' || persisted
          ? 'durable'
          : 'evictable'
  const hasBasics =
    typeof globalThis.crypto?.subtle?.digest === 'function' && typeof globalThis.fetch === 'function'
  const always = (why: string) => promised(hasBasics, hasBasics ? why : NO_BASICS)
  const ifItWorks = (holds: boolean, why: string) => promised(works && holds, works ? why : BROKEN)

  return Object.freeze({
    store: store.name,
    works,
    reach,
    persistence,
    locks,
    channels,
    nonExtractableKeys,
    promises: Object.freeze({
      oneRedemption: ifItWorks(lock, lock ? WITH_LOCK[locks] : NO_LOCK),
      durableBeforeUsed: ifItWorks(reach !== 'page', DURABLE[reach]),
      onlyTheServerEndsASession: ifItWorks(isShared, LASTS[persistence]),
      tokensGoNowhereElse: always('Access tokens go to the origins that the app names, in a header.'),
      fetchIsFetch: always('client.fetch hands on what fetch takes and gives.'),
      freeWhenFresh: always('A valid access token is used from memory.'),
      everyFailureHasAName: always('Every rejection is a LatchkeyError, and every wait has a bound.'),
    }),
  })
}

const NO_BASICS = 'Web Crypto or fetch is missing: serve the page over https, or from localhost.'
const BROKEN = 'What is written to the store cannot be read back.'
const NO_LOCK = "The store's lock is not available."
const WITH_LOCK = {
  'web-locks': 'Web Locks, over all tabs and workers of the origin.',
  lease: 'A lease in the store, over all tabs and workers of the origin: there are no Web Locks.',
  store: "The store's lock, over all who share it.",
  none: 'Nobody else sees this store: sharing within this page is enough.',
} as const
const DURABLE = {
  page: 'What is in memory is lost with the page, rotated refresh tokens too.',
  tab: 'A rotated refresh token survives reloads and crashes of this tab.',
  origin: 'A rotated refresh token is in IndexedDB before it is used.',
  device: 'A rotated refresh token is in the store before it is used.',
} as const
const LASTS = {
  durable: 'What is stored stays until the app or the user removes it.',
  evictable:
    'The browser may remove what is stored if space runs out or the site is not visited; navigator.storage.persist() asks it not to.',
  'until-the-tab-closes': 'Closing the tab ends the session here too.',
  'until-the-page-goes': 'A reload ends the session here too.',
} as const
