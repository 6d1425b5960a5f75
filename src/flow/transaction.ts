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
  /** Its callback was answered: what comes again is told the outcome, and nothing is sent. */
  readonly done?: true
}

const LIFETIME_MS = 3_600_000
const MOST = 20

export interface Transactions {
  save(transaction: Transaction): Promise<void>
  find(state: string): Promise<Transaction | undefined>
  /** Drops its secrets and remembers that it is over. */
  finish(transaction: Transaction): Promise<void>
}

const isTransaction = (stored: unknown): stored is Transaction =>
  typeof stored === 'object' &&
  stored !== null &&
  (stored as Transaction).schema === 1 &&
  typeof (stored as Transaction).state === 'string' &&
  typeof (stored as Transaction).createdAt === 'number'

/** Transactions under `prefix`, keyed by their state; gone after an hour, and never more than twenty. */
export function createTransactions(keyValue: KeyValue, prefix: string, clock: Clock): Transactions {
  const isLive = ({ createdAt }: Transaction) => Math.abs(clock.now() - createdAt) < LIFETIME_MS

  const sweep = async () => {
    const entries = await Promise.all(
      (await keyValue.keys(prefix)).map(async key => ({ key, stored: await keyValue.get(key) })),
    )
    const createdAt = (stored: unknown) => (isTransaction(stored) && isLive(stored) ? stored.createdAt : 0)
    entries.sort((a, b) => createdAt(b.stored) - createdAt(a.stored))
    const old = entries.filter(({ stored }, index) => index >= MOST || createdAt(stored) === 0)
    await Promise.all(old.map(({ key }) => keyValue.update(key, () => undefined)))
  }

  return {
    async save(transaction) {
      await keyValue.update(prefix + transaction.state, () => transaction)
      await sweep()
    },
    async find(state) {
      const stored = await keyValue.get(prefix + state)
      return isTransaction(stored) && isLive(stored) ? stored : undefined
    },
    finish: transaction =>
      keyValue.update(prefix + transaction.state, () => ({
        ...transaction,
        codeVerifier: '',
        nonce: undefined,
        done: true,
      })),
  }
}
