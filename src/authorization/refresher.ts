import type { Authorization, AuthorizationPorts, RefreshResult } from '../core/authorization.ts'
import { addFailure, isTooEarly } from '../core/back-off.ts'
import { sessionOf } from '../core/session.ts'
import type { StoredTrouble } from '../core/trouble.ts'
import { abortable, singleFlight } from '../core/waiting.ts'
import { AuthorizationRequiredError, type LatchkeyError, ServerError, StorageError } from '../errors.ts'
import { pausedBy } from './redemption-failure.ts'
import { type AttemptPorts, createAttempt, type Wanted } from './refresh-attempt.ts'

export interface RefresherPorts
  extends AttemptPorts,
    Pick<AuthorizationPorts, 'emit' | 'changed' | 'adopted' | 'sessionLost'> {
  /** Revokes a refresh token that nobody will use, without waiting for it. */
  revoke(refreshToken: string): void
}

export type Refresher = Pick<Authorization, 'refresh' | 'refreshIfDue' | 'refreshStartedAt'>

/** Identifies the access token to refresh: one refresh at a time runs for it. */
const keyOf = ({ record, resource = '' }: Wanted): string => `${record.sessionId} ${resource}`

/** Errors of the server about one API (RFC 8707 section 2, RFC 6749 section 5.2): only a sign-in can change them. */
const isFinal = (error: LatchkeyError, resource: string | undefined): boolean =>
  resource !== undefined &&
  error instanceof ServerError &&
  error.status !== undefined &&
  ['invalid_target', 'invalid_scope'].includes(error.error)

const FOR_GOOD = { at: -Infinity, until: Infinity, askedUntil: Infinity }

/** The pauses after failed refreshes, including failures that only this client knows. */
function createPauses(ports: Pick<RefresherPorts, 'clock' | 'random' | 'wokeAt'>) {
  const failures = new Map<string, { readonly error: LatchkeyError; readonly trouble: StoredTrouble }>()
  return {
    /** Why it is too early to retry, if it is. */
    early(wanted: Wanted): LatchkeyError | undefined {
      const now = ports.clock.now()
      const wokeAt = ports.wokeAt()
      const own = failures.get(keyOf(wanted))
      return (
        pausedBy(wanted.record, now, wokeAt)?.error ??
        (own && isTooEarly(own.trouble, now, wokeAt) ? own.error : undefined)
      )
    },
    add(wanted: Wanted, error: LatchkeyError): LatchkeyError {
      const key = keyOf(wanted)
      const trouble = addFailure(failures.get(key)?.trouble, error, false, ports.clock.now(), ports.random())
      failures.set(key, {
        error,
        trouble: isFinal(error, wanted.resource) ? { ...trouble, ...FOR_GOOD } : trouble,
      })
      return error
    },
    end: (wanted: Wanted) => void failures.delete(keyOf(wanted)),
  }
}

/** Signals that abort when this client no longer has the session. The tokens that a refresh still brings are dropped. */
function createEndSignals(left: RefresherPorts['sessionLost']): (sessionId: string) => AbortSignal {
  const controllers = new Map<string, AbortController>()
  left.add(({ reason, sessionId }) => {
    controllers.get(sessionId)?.abort(new AuthorizationRequiredError(reason))
    controllers.delete(sessionId)
  })
  return sessionId => {
    const controller = controllers.get(sessionId) ?? new AbortController()
    controllers.set(sessionId, controller)
    return controller.signal
  }
}

/** Refreshes once for all callers in this client, and reports the result to them and to the other clients. */
export function createRefresher(ports: RefresherPorts): Refresher {
  const { records, clock, emit } = ports
  const attempt = createAttempt(ports)
  const pauses = createPauses(ports)
  const share = singleFlight<void>()
  const endOf = createEndSignals(ports.sessionLost)
  let startedAt = 0
  let isDegraded = false

  const degrade = ({ message }: StorageError) => {
    // emitted once, no matter how long it lasts
    if (!isDegraded) emit({ type: 'storage-degraded', message })
    isDegraded = true
  }

  const report = (wanted: Wanted, result: RefreshResult, began: number): void => {
    const { sessionId } = wanted.record
    switch (result.type) {
      case 'adopted':
        startedAt = 0
        pauses.end(wanted)
        ports.adopted()
        return
      case 'rotated':
        startedAt = began
        pauses.end(wanted)
        if (result.unsaved) degrade(result.unsaved)
        else isDegraded = false
        ports.changed(sessionId)
        if (result.refused) throw pauses.add(wanted, result.refused)
        return
      case 'ended':
        ports.changed(sessionId)
        throw new AuthorizationRequiredError(result.reason)
      case 'overtaken':
        if (result.unused) ports.revoke(result.unused)
        ports.adopted()
        return
      case 'failed':
        if (result.error instanceof StorageError) degrade(result.error)
        if (!result.noted) throw pauses.add(wanted, result.error)
        if (result.noted === 'read') ports.adopted()
        else ports.changed(sessionId)
        throw result.error
    }
  }

  const refresh = async (wanted: Wanted): Promise<void> => {
    const early = pauses.early(wanted)
    const began = clock.now()
    const result = await attempt(wanted, early)
    if (early && result.type === 'failed' && result.error === early) {
      const { sessionId, version } = wanted.record
      const { current } = records
      // another client has refreshed since that failure
      if (current?.sessionId === sessionId && current.version !== version)
        return refresh({ ...wanted, record: current })
      throw early
    }
    const found = result.type === 'overtaken' ? await records.read() : undefined
    // the store may hold the same session, which another client has changed: revoking unused tokens would end it for all
    const isAdopted =
      found && ('unusable' in found || sessionOf(found)?.sessionId === wanted.record.sessionId)
    report(wanted, isAdopted ? { type: 'adopted' } : result, began)
  }

  /** Shared by all callers in this client. They stop waiting as soon as the session ends. */
  const flight: Refresher['refresh'] = (record, resource, isForced) => {
    const wanted = { record, resource, isForced }
    return share(keyOf(wanted), () => abortable(refresh(wanted), endOf(record.sessionId)))
  }

  return {
    refresh: flight,
    refreshIfDue(record, resource) {
      // the failure is emitted, and thrown again by a call that needs the new access token
      if (!pauses.early({ record, resource })) flight(record, resource).catch(() => {})
    },
    refreshStartedAt: () => startedAt,
  }
}
