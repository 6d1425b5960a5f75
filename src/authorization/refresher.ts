import type {
  Authorization,
  AuthorizationPorts,
  RefreshRequest,
  RefreshResult,
} from '../core/authorization.ts'
import { addFailure, isTooEarly } from '../core/back-off.ts'
import { decide } from '../core/decide.ts'
import { WAIT_MS } from '../core/lock-times.ts'
import { accessTokenOf, type SessionRecord, sessionOf } from '../core/session.ts'
import { type StoredTrouble, toError } from '../core/trouble.ts'
import { abortable, singleFlight } from '../core/waiting.ts'
import {
  AuthorizationRequiredError,
  LatchkeyError,
  NetworkError,
  ServerError,
  StorageError,
} from '../errors.ts'

export interface RefresherPorts
  extends Pick<
    AuthorizationPorts,
    | 'records'
    | 'lock'
    | 'prefix'
    | 'clock'
    | 'now'
    | 'random'
    | 'emit'
    | 'changed'
    | 'adopted'
    | 'left'
    | 'wokeAt'
    | 'hash'
    | 'host'
  > {
  /** Fetches what can be fetched before the lock is taken. */
  prepare(record: SessionRecord): Promise<unknown>
  /** What happens while the lock is held. */
  redeem(request: RefreshRequest): Promise<RefreshResult>
  /** Revokes a refresh token that nobody will use, without waiting for it. */
  revoke(refreshToken: string): void
}

/** What the server itself says of one API (RFC 8707 section 2, RFC 6749 section 5.2): only a sign-in changes it. */
const isFinal = (error: LatchkeyError, resource: string | undefined): boolean =>
  resource !== undefined &&
  error instanceof ServerError &&
  error.status !== undefined &&
  ['invalid_target', 'invalid_scope'].includes(error.error)

const FOR_GOOD = { at: -Infinity, until: Infinity, askedUntil: Infinity }

/** After a failure that only this realm knows of, how long it sends no other token request. */
interface Quiet {
  readonly error: LatchkeyError
  readonly trouble: StoredTrouble
}

export type Refresher = Pick<Authorization, 'refresh' | 'refreshIfDue' | 'begunAt'>

/** What is refreshed once at a time: an access token of a session. */
const keyOf = ({ sessionId }: SessionRecord, resource = '') => `${sessionId} ${resource}`

export function createRefresher(ports: RefresherPorts): Refresher {
  const { records, lock, prefix, clock, emit } = ports
  const share = singleFlight<void>()
  const leaving = new Map<string, AbortController>()
  const quiet = new Map<string, Quiet>()
  let begunAt = 0
  let isDegraded = false

  /** Why it is too early to try again, if it is. */
  const tooEarly = (wanting: SessionRecord, key: string): LatchkeyError | undefined => {
    const { trouble } = wanting
    const now = clock.now()
    if (trouble && isTooEarly(trouble, now, ports.wokeAt())) return toError(trouble)
    const own = quiet.get(key)
    return own && isTooEarly(own.trouble, now, ports.wokeAt()) ? own.error : undefined
  }

  const degrade = ({ message }: StorageError) => {
    // told once, however long it lasts
    if (!isDegraded) emit({ type: 'storage-degraded', message })
    isDegraded = true
  }

  const backOff = (key: string, error: LatchkeyError, resource: string | undefined): LatchkeyError => {
    const trouble = addFailure(quiet.get(key)?.trouble, error, false, clock.now(), ports.random())
    quiet.set(key, { error, trouble: isFinal(error, resource) ? { ...trouble, ...FOR_GOOD } : trouble })
    return error
  }

  const refresh = async (
    wanting: SessionRecord,
    resource: string | undefined,
    isForced?: boolean,
  ): Promise<void> => {
    const { sessionId } = wanting
    const key = keyOf(wanting, resource)
    const early = tooEarly(wanting, key)
    const began = clock.now()
    let ending: RefreshResult
    try {
      if (early) throw early
      ending = (await inHost(wanting, resource, isForced)) ?? (await underLock(wanting, resource, isForced))
    } catch (error) {
      ending = await withoutLock(wanting, resource, error, early)
    }
    if (ending.type === 'overtaken') {
      // someone rotated the tokens of the same session: to revoke ours would end it for all
      if (sessionOf(await records.read())?.sessionId === sessionId) ending = { type: 'adopted' }
    }
    const record = records.current
    switch (ending.type) {
      case 'adopted':
        begunAt = 0
        quiet.delete(key)
        if (record?.sessionId === sessionId) emit({ type: 'tokens-adopted', from: record.by })
        return void ports.adopted()
      case 'rotated':
        begunAt = began
        quiet.delete(key)
        if (ending.unsaved) degrade(ending.unsaved)
        else isDegraded = false
        ports.changed(sessionId)
        if (ending.refused) throw backOff(key, ending.refused, resource)
        return
      case 'ended':
        ports.changed(sessionId)
        throw new AuthorizationRequiredError(ending.reason)
      case 'overtaken':
        if (ending.unused) ports.revoke(ending.unused)
        return void ports.adopted()
      case 'failed':
        if (ending.error === early) throw ending.error
        if (ending.error instanceof StorageError) degrade(ending.error)
        if (!ending.noted) throw backOff(key, ending.error, resource)
        if (ending.noted === 'read') ports.adopted()
        else ports.changed(sessionId)
        throw ending.error
    }
  }

  const leavingOf = (sessionId: string): AbortController => {
    const known = leaving.get(sessionId) ?? new AbortController()
    leaving.set(sessionId, known)
    return known
  }

  /** Shared by all who wait in this realm, and over for them as soon as the session is. */
  const flight: Refresher['refresh'] = (wanting, resource, isForced) =>
    share(keyOf(wanting, resource), () =>
      abortable(refresh(wanting, resource, isForced), leavingOf(wanting.sessionId).signal),
    )

  const underLock = async (record: SessionRecord, resource: string | undefined, isForced?: boolean) => {
    await ports.prepare(record)
    const request = { record, resource, wokeAt: ports.wokeAt(), isForced }
    return lock.run(prefix, () => ports.redeem(request), WAIT_MS)
  }

  /** @returns what is stored, or `undefined` if somebody else has done the work meanwhile. */
  const findWanting = async (
    wanting: SessionRecord,
    resource: string | undefined,
  ): Promise<SessionRecord | undefined> => {
    const found = sessionOf(await records.read())
    if (found?.sessionId !== wanting.sessionId) return undefined
    const old = accessTokenOf(wanting, resource)?.accessToken
    return decide(found, ports.now(), old, resource).do === 'use' ? undefined : found
  }

  /** @returns `undefined` if there is no host, or if what it left in the store does not answer the question. */
  const inHost = async (
    record: SessionRecord,
    resource: string | undefined,
    isForced: boolean | undefined,
  ): Promise<RefreshResult | undefined> => {
    // the host knows only what is in the store
    if (!ports.host || records.isUnsaved) return undefined
    const { sessionId } = record
    const unusable = await ports.hash(accessTokenOf(record, resource)?.accessToken ?? '')
    if (!(await ports.host.refresh({ sessionId, unusable, resource, isForced }))) return undefined
    const found = await findWanting(record, resource)
    if (!found) return { type: 'adopted' }
    const { trouble } = found
    if (!trouble || !isTooEarly(trouble, clock.now(), ports.wokeAt())) return undefined
    return { type: 'failed', error: toError(trouble), noted: 'read' }
  }

  /** It is too early to try again, or the lock was not to be had. Someone else may have done the work. */
  const withoutLock = async (
    wanting: SessionRecord,
    resource: string | undefined,
    error: unknown,
    early: LatchkeyError | undefined,
  ): Promise<RefreshResult> => {
    if (!(error instanceof LatchkeyError)) throw error
    if (error instanceof StorageError) return { type: 'failed', error }
    const found = await findWanting(wanting, resource)
    if (!found) return { type: 'adopted' }
    if (error === early || !(error instanceof NetworkError)) return { type: 'failed', error }
    const trouble = addFailure(found.trouble, error, false, clock.now(), ports.random())
    const isWritten = await records.replace({ ...found, trouble }, found).catch(() => false)
    return { type: 'failed', error, noted: isWritten && 'written' }
  }

  // whoever waits for the refresh of a session that has ended learns that at once; what the refresh brings is dropped
  ports.left.add(({ reason, sessionId }) => {
    leaving.get(sessionId)?.abort(new AuthorizationRequiredError(reason))
    leaving.delete(sessionId)
  })

  return {
    refresh: flight,
    refreshIfDue(record, resource) {
      // a failure is reported by an event, and met again when the token is really needed
      if (!tooEarly(record, keyOf(record, resource))) flight(record, resource).catch(() => {})
    },
    begunAt: () => begunAt,
  }
}
