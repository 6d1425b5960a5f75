import type { Warning } from '../core/events.ts'
import type { Clock, EpochMs, KeyValue } from '../core/ports.ts'

/** What must survive the way to the authorization server and back: one per sign-in. */
export interface Transaction {
  readonly schema: 1
  readonly state: string
  readonly codeVerifier: string
  readonly nonce: string | undefined
  readonly redirectUri: string
  readonly scope: string
  readonly returnTo: string | undefined
  readonly createdAt: EpochMs
  /** The user was not to be asked anything (`prompt=none`). */
  readonly silent?: true
  /** The user was not to be asked anything at first: what asks them where the server needs them after all. */
  readonly otherwise?: Readonly<Record<string, string>> | undefined
  /** With `silent`: nobody else than this user (`sub`). */
  readonly subject?: string | undefined
  /** The user has to be authenticated in one of these ways; an empty list: in any that has a name. */
  readonly acr?: readonly string[] | undefined
  /** What a recovery of its session asks for again. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /** So many seconds ago the user may have been authenticated at most. */
  readonly maxAge?: number | undefined
  /** How often somebody had signed out of the store when it began, where that is known: a later sign-out ends it. */
  readonly epoch?: number | undefined
  /** What was warned of before the page left, whose log is gone when the answer comes. */
  readonly warnings?: readonly Warning[]
  readonly stage: Stage
}

/** How far a sign-in has come. */
export type Stage =
  /** The user is at the authorization server. */
  | 'waiting'
  /** Its callback came, and may come again. */
  | 'returned'
  /** Its callback was answered: what comes again is told the outcome, and nothing is sent. */
  | 'failed'
  | 'signed-in'
  /** The server needs the user: another sign-in followed it. */
  | 'continued'
  /** A sign-out came before its callback. */
  | 'signed-out'

export const LIFETIME_MS = 3_600_000
const MOST = 20

/** No callback needs its secrets any more, nor what it asked for, which may name a user. */
const SPENT = {
  codeVerifier: '',
  nonce: undefined,
  subject: undefined,
  parameters: undefined,
  otherwise: undefined,
}

export const isOpen = (stage: Stage): boolean => stage === 'waiting' || stage === 'returned'

export interface Transactions {
  save(transaction: Transaction): Promise<void>
  find(state: string): Promise<Transaction | undefined>
  /** Whether it is still kept, although it is too old to be found. */
  isTooOld(state: string): Promise<boolean>
  /** All that are kept, the newest first; none where they cannot be read. */
  all(): Promise<readonly Transaction[]>
  /**
   * Notes how far it has come, and drops its secrets where no callback will need them. Best effort: it also ends by its
   * age.
   */
  move(transaction: Transaction, stage: Stage): Promise<void>
}

/** Transactions under `prefix`, keyed by their state; gone after an hour, and never more than twenty. */
export function createTransactions(keyValue: KeyValue, prefix: string, clock: Clock): Transactions {
  const read = async (key: string): Promise<Transaction | undefined> => {
    const stored = (await keyValue.get(key)) as Transaction | null | undefined
    if (stored?.schema !== 1 || typeof stored.createdAt !== 'number') return undefined
    if (Math.abs(clock.now() - stored.createdAt) >= LIFETIME_MS) return undefined
    const { stage = stored.codeVerifier ? 'waiting' : 'signed-in' } = stored // of version 0.1.0
    return { ...stored, stage }
  }
  const write = (state: string, transaction: Transaction) =>
    keyValue.update(prefix + state, () => transaction)

  const entries = async () => {
    const keys = await keyValue.keys(prefix)
    const found = await Promise.all(keys.map(async key => ({ key, transaction: await read(key) })))
    const ageOf = ({ transaction }: (typeof found)[number]) => transaction?.createdAt ?? 0
    return found.sort((a, b) => ageOf(b) - ageOf(a))
  }

  return {
    async save(transaction) {
      const sweep = async () => {
        const others = (await entries()).filter(({ key }) => key !== prefix + transaction.state)
        const old = others.filter((other, index) => index >= MOST - 1 || !other.transaction)
        await Promise.all(old.map(({ key }) => keyValue.update(key, () => undefined)))
      }
      // beside it, and best effort: a store that does not answer is waited for once
      await Promise.all([write(transaction.state, transaction), sweep().catch(() => {})])
    },
    find: state => read(prefix + state),
    async isTooOld(state) {
      const stored = (await keyValue.get(prefix + state)) as Transaction | null | undefined
      return typeof stored?.createdAt === 'number' && !(await read(prefix + state))
    },
    all: async () => (await entries().catch(() => [])).flatMap(({ transaction }) => transaction ?? []),
    move: (transaction, stage) =>
      write(transaction.state, {
        ...transaction,
        ...(isOpen(stage) ? {} : SPENT),
        stage,
      }).catch(() => {}),
  }
}
