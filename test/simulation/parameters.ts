import type { Random } from './scheduler.ts'

/** The parameters of one schedule. Probabilities are per occasion; 0 is never. */
export interface Parameters {
  /**
   * `redis`: a lease that its server times; `lease`: one that those who wait for it time; `file`: lock files, of processes
   * in two containers.
   */
  readonly lock: 'web' | 'lease' | 'redis' | 'file' | 'local'
  /** Tabs or processes that share the store; with a local lock, clients in one page. */
  readonly contexts: number
  /** How long faults occur. */
  readonly disturbedMs: number
  /** The longest interval between two calls of one context. */
  readonly callGapMs: number
  readonly callerAborts: number
  /** Whether clients refresh an expired token before a call needs it. */
  readonly isEager: boolean
  /** Faults are limited to lost responses and reloads, and the grace period is long: the session must survive. */
  readonly gentle: boolean
  readonly server: {
    readonly graceMs: number
    /** The response to a used refresh token within the grace period. */
    readonly successor: 'same' | 'sibling'
    /** The effect of a used refresh token after the grace period. */
    readonly reuse: 'kills' | 'refuses'
    readonly accessTokenSeconds: number
    readonly revokesOldAccessTokens: boolean
    /** The longest time that the server takes for a refresh; the shortest is a hundredth of that. */
    readonly thinksMs: number
    /** Token responses that violate a rule: only the new refresh token in them may be used. */
    readonly unfit: number
  }
  /** The longest time that an API takes for a call. */
  readonly apiMs: number
  readonly network: {
    readonly delayMs: number
    /** Up to 20 s on the way to the server, or on the way back. */
    readonly slow: number
    readonly lostBefore: number
    readonly lostAfter: number
    /** Errors of every class, chosen at random. */
    readonly refused: number
  }
  readonly storage: {
    readonly delayMs: number
    /** Whether the calls of one context are processed in order (IndexedDB) or not (files, remote stores). */
    readonly inOrder: boolean
    /** Calls that reject, hang forever, take seconds, or are executed twice. */
    readonly faults: number
    /** Per write: whether all later writes are rejected for a while. */
    readonly full: number
  }
  readonly news: { readonly delayMs: number; readonly lost: number }
  /** Per delivery to a context. */
  readonly crash: number
  readonly freeze: number
  /** Per second, for the whole world. */
  readonly signOut: number
  readonly signIn: number
  /** The longest time from the click on a sign-in or sign-out to its end. */
  readonly signInMs: number
  readonly clockJump: number
  readonly accessTokenRevoked: number
  readonly sessionRevoked: number
  /** Whether some clients bind tokens to keys (DPoP) and others do not. */
  readonly mixed: boolean
  /** Whether some clients are of a later release, whose records the others cannot read. */
  readonly releases: boolean
  /** Whether a host refreshes for the contexts, as a worker does. */
  readonly hosted: boolean
  /** Per request to the host: whether it starts too late, and whether another host replaces it first. */
  readonly hostLate: number
  readonly hostReplaced: number
  /** Whether each context has its own clock: machines instead of tabs. */
  readonly ownClocks: boolean
}

/** A safeguard of the refresher that this schedule lacks, to show that it is necessary. */
export type Safeguard =
  | 'lock'
  | 're-read'
  | 'replace-if-unchanged'
  | 'intent-mark'
  | 'store-before-use'
  | 'judge-re-read'
  | 'sign-out-guard'
  | 'holds-told-apart'
  | 'lease-around-a-holder'
  | 'late-means-lease'
  | 'sends-within-hold'
  | 'unsaved-is-seen'
  | 'unfit-answer-rotates'
  | 'replay-within-session'
  | 'sign-in-epoch'
  | 'host-shares-the-lock'
  | 'lease-outlives-a-hold'
  | 'own-lease-is-released'
  | 'owner-known-by-place'
  | 'unusable-is-left-alone'

/** Whether a lock ends by itself at some time, whatever its holder does. */
export const isLeased = ({ lock }: Pick<Parameters, 'lock'>): boolean =>
  lock === 'lease' || lock === 'redis' || lock === 'file'

export function drawParameters(random: Random): Parameters {
  const { between, chance, pick } = random
  const sometimes = (probability: number, value: number) => (chance(probability) ? value : 0)
  const lock = pick(['web', 'web', 'lease', 'local'] as const)
  const gentle = chance(0.1)
  const weather = chance(0.6)
  const crowd = !gentle && chance(0.15)
  const drawn = {
    lock,
    contexts: between(lock === 'local' ? 1 : crowd ? 3 : 2, lock === 'local' ? 3 : 5),
    disturbedMs: between(6, 20) * (crowd ? 2000 : 1000),
    callGapMs: gentle ? 800 : pick([500, 1500, 4000]),
    callerAborts: sometimes(0.4, 0.1),
    isEager: chance(0.7),
    gentle,
    server: {
      graceMs: gentle ? 30_000 : pick([0, 0, 2000, 10_000, 30_000]),
      successor: pick(['same', 'sibling']),
      reuse: chance(0.75) ? 'kills' : 'refuses',
      accessTokenSeconds: pick([3, 5, 10, 30]),
      revokesOldAccessTokens: chance(0.3),
      thinksMs: crowd ? 12_000 : 0,
      unfit: gentle ? 0 : sometimes(0.2, 0.2),
    },
    apiMs: pick([40, 40, 3000]),
    network: {
      delayMs: pick([20, 100, 600]),
      slow: gentle ? 0 : weather ? sometimes(0.4, 0.1) : 0,
      lostBefore: gentle ? 0.1 : weather ? sometimes(0.5, 0.15) : 0,
      lostAfter: gentle ? 0.15 : weather ? sometimes(0.5, 0.15) : 0,
      refused: gentle ? 0 : weather ? sometimes(0.5, 0.2) : 0,
    },
    storage: {
      delayMs: pick([2, 10, 50]),
      inOrder: chance(0.6),
      faults: gentle ? 0 : sometimes(0.25, pick([0.02, 0.15])),
    },
    news: { delayMs: pick([5, 300]), lost: pick([0, 0.2, 1]) },
    crash: gentle ? (lock === 'lease' ? 0 : 0.002) : sometimes(0.4, 0.01),
    freeze: gentle ? 0 : sometimes(0.3, 0.005),
    signOut: gentle ? 0 : sometimes(0.35, 0.05),
    signIn: gentle ? 0 : sometimes(0.35, 0.05),
    signInMs: pick([0, 0, 3000]),
    clockJump: gentle ? 0 : sometimes(0.25, 0.1),
    accessTokenRevoked: sometimes(0.4, 0.15),
    sessionRevoked: gentle ? 0 : sometimes(0.15, 0.03),
    mixed: chance(0.1),
    ownClocks: chance(0.3),
  } as const satisfies Omit<Parameters, 'storage' | 'releases' | `host${string}`> & { storage: object }
  return {
    ...drawn,
    lock: lock === 'lease' ? pick(['lease', 'redis', 'file']) : lock,
    releases: chance(0.1),
    storage: { ...drawn.storage, full: gentle ? 0 : sometimes(0.1, 0.05) },
    hosted: lock !== 'local' && chance(0.25),
    hostLate: sometimes(0.5, 0.1),
    hostReplaced: sometimes(0.5, 0.1),
  }
}
