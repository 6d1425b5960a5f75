export type PromiseName =
  | 'one-redemption'
  | 'durable-before-used'
  | 'only-the-server-ends-a-session'
  | 'tokens-go-nowhere-else'
  | 'fetch-is-fetch'
  | 'free-when-fresh'
  | 'every-failure-has-a-name'

/** How far a promise holds here: wholly, for one tab or realm, until a reload, not at all, or nobody can tell. */
export type Holds = true | false | 'within this tab' | 'within this realm' | 'until reload' | 'unknown'

export interface Verdict {
  readonly holds: Holds
  /** One sentence. */
  readonly why: string
}

export type Promises = Readonly<Record<PromiseName, Verdict>>

/** Who reads the same records: everyone of this origin, this tab, this realm, processes that name the same place. */
export type SharedBy = 'origin' | 'tab' | 'realm' | 'processes' | 'unknown'

/** What this runtime gives, found by trying. `undefined` is what nobody can tell here. */
export interface CapabilityReport {
  readonly store: {
    readonly name: string
    /** Whether something was written and read back. */
    readonly works: boolean
    /** What was said where another place had to be taken. */
    readonly degraded: string | undefined
    readonly sharedBy: SharedBy
    readonly survivesReload: boolean
    /** Whether the browser promised not to clear it when space is short (`navigator.storage.persisted()`). */
    readonly persisted: boolean | undefined
  }
  /** What keeps others out: the Web Locks API, a record with an end, a queue in this realm, the store's own, nothing. */
  readonly lock: 'web-locks' | 'lease' | 'realm' | 'own' | 'none'
  /** How others who share the store hear of a change. */
  readonly news: 'broadcast-channel' | 'own' | 'none'
  /** Whether SHA-256 and AES-GCM can be used. */
  readonly webCrypto: boolean
  /** Whether a key that cannot be exported came back usable from IndexedDB. */
  readonly nonExtractableKeys: boolean
  readonly promises: Promises
}

type Findings = Omit<CapabilityReport, 'promises'>

const verdict = (holds: Holds, why: string): Verdict => ({ holds, why })

function oneRedemption({ store, lock }: Findings): Verdict {
  if (!store.works) return verdict(false, 'The store cannot be written, so there is nothing to redeem.')
  if (lock === 'none') return verdict(false, 'The lock of the store keeps nobody out.')
  if (store.sharedBy === 'unknown')
    return verdict(
      'unknown',
      'The lock keeps others of this realm out; for the rest the store has to answer.',
    )
  if (store.sharedBy === 'tab')
    return verdict('within this tab', 'Only this tab sees the store; every tab signs in for itself.')
  if (store.sharedBy === 'realm')
    return verdict('within this realm', 'Only this page, worker or process may use the store.')
  if (lock === 'lease')
    return verdict(true, 'There are no Web Locks: a lease in the store keeps others out, until it ends.')
  return verdict(true, 'All who share the store take the same lock.')
}

function durable({ store }: Findings): Verdict {
  if (!store.works) return verdict(false, 'The store cannot be written and read back.')
  if (!store.survivesReload) return verdict('until reload', 'Tokens are in memory: a reload loses them.')
  if (store.sharedBy === 'tab')
    return verdict('within this tab', 'Tokens survive a reload, and are gone when the tab is closed.')
  return store.persisted === false
    ? verdict(true, 'What is stored survives a restart, but the browser may clear it when space is short.')
    : verdict(true, 'What is stored survives a restart.')
}

/** Which promises hold with what was found. Those that latchkey keeps by its own code hold everywhere. */
export const judge = (found: Findings): Promises => ({
  'one-redemption': oneRedemption(found),
  'durable-before-used': durable(found),
  'only-the-server-ends-a-session': found.store.works
    ? found.store.survivesReload
      ? verdict(true, 'No fault of network, storage or clock clears the store.')
      : verdict('until reload', 'Nothing ends the session but the server, until the page is gone.')
    : verdict(false, 'What cannot be stored is not there the next time.'),
  'tokens-go-nowhere-else': verdict(
    true,
    'Decided by origin before each request; needs nothing of the runtime.',
  ),
  'fetch-is-fetch': verdict(true, 'Needs nothing of the runtime but its fetch.'),
  'free-when-fresh': verdict(true, 'A fresh token is in memory.'),
  'every-failure-has-a-name': found.webCrypto
    ? verdict(true, 'All that waits has a bound, and errors are typed.')
    : verdict(true, 'Without Web Crypto, signing in is refused with ERR_CONFIGURATION or fails.'),
})
