import type { Warning } from '../core/events.ts'
import type { Clock, EpochMs, KeyValue } from '../core/ports.ts'

/** The data of one sign-in that must survive the redirect to the authorization server and back. */
export interface Transaction {
  readonly schema: 1
  readonly state: string
  readonly codeVerifier: string
  readonly nonce: string | undefined
  readonly redirectUri: string
  readonly scope: string
  readonly returnTo: string | undefined
  readonly createdAt: EpochMs
  /** Whether the server must not ask the user (`prompt=none`). */
  readonly silent?: true
  /** After a request with `prompt=none`: the parameters of the next one, if the server needs the user. */
  readonly otherwise?: Readonly<Record<string, string>> | undefined
  /** With `silent`: the only user (`sub`) whose session latchkey accepts. */
  readonly subject?: string | undefined
  /** The authentication context classes, one of which the server must use. An empty list: any, but it must name one. */
  readonly acr?: readonly string[] | undefined
  /** The parameters that `recover()` sends again. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /** The longest time since the user was authenticated, in seconds (`max_age`). */
  readonly maxAge?: number | undefined
  /** How often a user had signed out of the store when it began, if that is known. A later sign-out ends it. */
  readonly epoch?: number | undefined
  /** The warnings before the page left: its log is lost when the response arrives. */
  readonly warnings?: readonly Warning[]
  readonly stage: Stage
}

/** The stage of a sign-in. */
export type Stage =
  /** The user is at the authorization server. */
  | 'waiting'
  /** Its callback was handled and may be handled again, because the error was temporary. */
  | 'returned'
  /** Its callback was handled. If it is opened again, latchkey sends nothing. */
  | 'failed'
  | 'signed-in'
  /** The server needs the user: another sign-in followed it. */
  | 'continued'
  /** The user signed out before its callback. */
  | 'signed-out'

export const LIFETIME_MS = 3_600_000
const MOST = 20

/** Removed when no callback needs them any more: the secrets, and the parameters, which may name a user. */
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
  /** Whether it is still stored, but has expired. */
  isTooOld(state: string): Promise<boolean>
  /** All that have not expired, the newest first. Empty if they cannot be read. */
  all(): Promise<readonly Transaction[]>
  /**
   * Stores the new stage, and removes the secrets if no callback needs them any more. Best effort: it also expires.
   */
  move(transaction: Transaction, stage: Stage): Promise<void>
}

/** Stores transactions under `prefix` and their state. They expire after an hour. At most twenty are kept. */
export function createTransactions(keyValue: KeyValue, prefix: string, clock: Clock): Transactions {
  const read = async (key: string): Promise<Transaction | undefined> => {
    const stored = (await keyValue.get(key)) as Transaction | null | undefined
    if (stored?.schema !== 1 || typeof stored.createdAt !== 'number') return undefined
    if (Math.abs(clock.now() - stored.createdAt) >= LIFETIME_MS) return undefined
    const { stage = stored.codeVerifier ? 'waiting' : 'signed-in' } = stored // written by version 0.1.0
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
      // in parallel, so that a store that hangs is waited for only once
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
