import type {
  AuthorizationPorts,
  RefreshRequest,
  RefreshResult,
  SessionWrites,
} from '../core/authorization.ts'
import { decide } from '../core/decide.ts'
import { WAIT_MS } from '../core/lock-times.ts'
import type { EpochMs } from '../core/ports.ts'
import { accessTokenOf, type SessionRecord, sessionOf } from '../core/session.ts'
import { LatchkeyError, NetworkError, StorageError } from '../errors.ts'
import { keepSession, pausedBy } from './redemption-failure.ts'

/** The record to refresh, before the lock is taken. */
export type Wanted = Omit<RefreshRequest, 'wokeAt'>

export interface AttemptPorts
  extends Pick<
    AuthorizationPorts,
    'records' | 'lock' | 'prefix' | 'clock' | 'now' | 'random' | 'wokeAt' | 'hash' | 'host'
  > {
  readonly writes: SessionWrites
  /** Fetches what can be fetched before the lock is taken. */
  prepare(record: SessionRecord): Promise<unknown>
  /** Refreshes while the lock is held. */
  redeem(request: RefreshRequest): Promise<RefreshResult>
}

/**
 * Whether another client has done a refresh meanwhile: the store now holds another access token, or another session.
 * @param record the record whose access token could not be used.
 */
export const isRefreshed = (
  found: SessionRecord,
  record: SessionRecord,
  resource: string | undefined,
  now: EpochMs,
): boolean =>
  found.sessionId !== record.sessionId ||
  decide(found, now, accessTokenOf(record, resource)?.accessToken, resource).do === 'use'

/** Refreshes in the host if there is one, else in this client under the lock. */
export function createAttempt(ports: AttemptPorts) {
  const { records, lock, prefix, clock, host } = ports

  /** @returns the stored record, or `undefined` if another client has refreshed it meanwhile. */
  const readAgain = async ({ record, resource }: Wanted): Promise<SessionRecord | undefined> => {
    const found = sessionOf(await records.read())
    return found && !isRefreshed(found, record, resource, ports.now()) ? found : undefined
  }

  /** @returns `undefined` if there is no host, or if this client still has to refresh after the host has tried. */
  const inHost = async (wanted: Wanted): Promise<RefreshResult | undefined> => {
    // the host knows only what is in the store
    if (!host || records.unsaved) return undefined
    const { record, resource, isForced } = wanted
    const unusable = await ports.hash(accessTokenOf(record, resource)?.accessToken ?? '')
    const { sessionId } = record
    if (!(await host.refresh({ sessionId, unusable, resource, isForced }))) return undefined
    const found = await readAgain(wanted)
    return found ? pausedBy(found, clock.now(), ports.wokeAt()) : { type: 'adopted' }
  }

  const underLock = async (wanted: Wanted): Promise<RefreshResult> => {
    await ports.prepare(wanted.record)
    const request = { ...wanted, wokeAt: ports.wokeAt() }
    return lock.run(prefix, () => ports.redeem(request), WAIT_MS)
  }

  /** It is too early to retry, or this client did not get the lock. Another client may have refreshed meanwhile. */
  const withoutLock = async (wanted: Wanted, error: unknown, isEarly: boolean): Promise<RefreshResult> => {
    if (!(error instanceof LatchkeyError)) throw error
    if (error instanceof StorageError) return { type: 'failed', error }
    const found = await readAgain(wanted)
    if (!found) return { type: 'adopted' }
    if (isEarly || !(error instanceof NetworkError)) return { type: 'failed', error }
    return keepSession(ports, found, found, error, false, undefined)
  }

  /** @param early why it is too early to retry, if it is. */
  return async (wanted: Wanted, early: LatchkeyError | undefined): Promise<RefreshResult> => {
    try {
      if (early) throw early
      return (await inHost(wanted)) ?? (await underLock(wanted))
    } catch (error) {
      return withoutLock(wanted, error, early !== undefined)
    }
  }
}
