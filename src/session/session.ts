import type { LeftSession, SecondHalf, SessionRecords } from '../core/authorization.ts'
import { decide } from '../core/decide.ts'
import type { Emit } from '../core/events.ts'
import type { SessionLimit } from '../core/extension.ts'
import { createListeners, type Listeners } from '../core/listeners.ts'
import type { AccessTokens, Channel, Clock, EpochMs, News, Wake } from '../core/ports.ts'
import {
  accessTokenOf,
  endOf,
  epochOf,
  runsGrant,
  type Session,
  type SessionRecord,
} from '../core/session.ts'
import {
  isSameState,
  LEAVING_MS,
  leavingMs,
  type SessionEvent,
  type SessionState,
  toSession,
  transition,
} from '../core/session-state.ts'
import { abortable } from '../core/waiting.ts'
import { AuthorizationRequiredError, LockTimeoutError } from '../errors.ts'

export interface LiveSessionPorts {
  readonly records: SessionRecords
  readonly clock: Clock
  /** The time by which tokens in memory are judged. */
  now(): EpochMs
  readonly emit: Emit
  readonly authorization: SecondHalf<'refresh' | 'refreshIfDue' | 'begunAt' | 'unusableError'>
  /** Opens the news of the others who share the store. */
  channel(): Channel
  readonly wake: Wake | undefined
  woke(): void
  /** Where latchkey gets its tokens by itself: stores the session that the first of them belongs to, unless it is there. */
  begin?: ((epoch: number) => Promise<unknown>) | undefined
  /** Whether an expired access token is refreshed before a call needs it: where somebody looks at the session. */
  readonly isEager: boolean
  /** A limit of the app's own on how long a session may be used. */
  readonly limit?: SessionLimit | undefined
  /** The id of a session whose record was changed here; `undefined`: what is stored was changed by someone else. */
  readonly changes: Listeners<string | undefined>
  /** Learns which session this realm has no more. */
  readonly left: Listeners<LeftSession>
  /** A session was ended here. */
  ended(sessionId: string): void
}

/** The session of one client as it lives in one realm: the only owner of its state. */
export interface LiveSession extends AccessTokens {
  readonly session: Session
  subscribe(listener: (session: Session) => void): () => void
  /** Waits for `arrival`, after which the store may hold another session, then reads the store. */
  start(arrival: Promise<void>): Promise<Session>
  /** Settles when the store has been read once, after a start that is under way. */
  started(): Promise<void>
  /** Reads the store and shows what is there. */
  refreshView(): Promise<Session>
  /** Shows `signing-in` until `work` settles, unless somebody is signed in. */
  signingIn<T>(work: () => Promise<T>): Promise<T>
  /** Settles when no sign-out is under way, here or in another tab. */
  signedOut(): Promise<void>
  /** This page has come back from the end of the provider's session: the sign-out is complete. */
  returned(): Promise<void>
  /**
   * The user's own end of the session: shows `signing-out` here and in the other tabs until `atServer` settles.
   * @param atServer is given what was removed, and calls `gone` when this page has left.
   */
  signOut(atServer: (ended: SessionRecord | undefined, gone: () => void) => Promise<void>): Promise<void>
  dispose(): void
}

const recordOf = (state: SessionState) => (state.status === 'signed-in' ? state.record : undefined)
const reasonOf = (state: SessionState) => ('reason' in state ? state.reason : undefined)

/** The state, and the snapshot that apps see of it. */
function createView({ emit, left }: Pick<LiveSessionPorts, 'emit' | 'left'>) {
  const listeners = createListeners<Session>()
  let state: SessionState = { status: 'starting' }
  let session = toSession(state)
  return {
    listeners,
    get state() {
      return state
    },
    get session() {
      return session
    },
    move(event: SessionEvent): void {
      const before = state
      state = transition(before, event)
      if (isSameState(before, state)) return
      session = toSession(state)
      const [old, next] = [recordOf(before), recordOf(state)]
      const isOther = old?.sessionId !== next?.sessionId
      if (old && isOther) {
        const reason = next ? 'replaced' : (reasonOf(state) ?? 'signed_out')
        left.tell({ reason, sessionId: old.sessionId })
        emit({ type: 'session-ended', reason })
      }
      if (next && isOther) emit({ type: 'session-started', subject: next.tokens.claims?.sub })
      listeners.tell(session)
    },
  }
}

/** The page that signed out has left: notes it in the store, so that whoever comes later sees that too. Best effort. */
const noteLeft = (records: SessionRecords, sessionId = endOf(records.stored)?.sessionId): Promise<void> =>
  records
    .amend(stored => {
      const ended = endOf(stored)
      return ended?.leavingUntil && ended.sessionId === (sessionId ?? ended.sessionId)
        ? { ...ended, leavingUntil: undefined }
        : undefined
    })
    .catch(() => {})

/** What keeps a session's view true while the store, the time and the other realms change it. */
function createUpkeep(ports: LiveSessionPorts) {
  const { records, clock, now } = ports
  const view = createView(ports)
  let channel: Channel | undefined
  let stops: (() => void)[] = []
  let cancelTimer = () => {}
  let hasFailed = false
  let waking: Promise<unknown> | undefined

  /** Shows what was last read or written. @param isOver a sign-out under way no longer counts. */
  const show = (isOver = false): void => {
    view.move({ type: 'stored', stored: records.stored, now: now(), isOver })
    // what ends by itself: another page's sign-out, and the pause after a refresh that failed
    cancelTimer()
    const { status } = view.state
    const leaving = status === 'signing-out' ? endOf(records.stored) : undefined
    const waitMs = leaving
      ? leavingMs(leaving, now())
      : (recordOf(view.state)?.trouble?.until ?? 0) - clock.now()
    if (waitMs > 0 && channel) {
      const due = () => {
        show(leaving !== undefined) // it has been waited for, whatever the clock says by now
        ready()
      }
      cancelTimer = clock.after(waitMs, due, true)
    }
  }

  const post = (news: News) => channel?.post(news)
  const changed = (sessionId: string | undefined) => {
    if (sessionId === undefined) return show()
    connect()
    const ended = endOf(records.stored)
    show()
    if (!ended) {
      ports.limit?.check()
      return post({ type: 'session-changed' })
    }
    ports.ended(sessionId)
    post({ type: 'session-ended', sessionId, reason: ended.ended })
  }
  ports.changes.add(changed)

  const ready = (resource?: string): string | undefined => {
    const { current } = records
    const decision = decide(current, now(), undefined, resource)
    // a refresh that was cut off does not wait for a call: a grace period may still cover it
    const due =
      decision.do === 'use'
        ? decision.due
        : decision.do === 'refresh' &&
          !(current && runsGrant(current)) && // nobody waits for it
          (ports.isEager || current?.pending || current?.trouble)
    if (current && due)
      ports.authorization.get().then(
        authorization => authorization.refreshIfDue(current, resource),
        () => {},
      )
    return decision.do === 'use' ? decision.accessToken : undefined
  }

  const read = async (): Promise<Session> => {
    try {
      await records.read()
    } catch (error) {
      hasFailed = true
      if (!records.stored) throw error // a store that fails ends no session
    }
    if (ports.limit) await ports.limit.check() // before anybody sees it
    show()
    ready() // begins what is due, such as a refresh that was cut off
    return view.session
  }

  /** Until the store was read once, nothing that happens is of interest. */
  const isStarting = () => view.state.status === 'starting' && !hasFailed
  const hear = async (news: News) => {
    if (news.type === 'session-ended') records.drop(news.sessionId)
    if (isStarting()) return
    if (news.type === 'session-left') await noteLeft(records, news.sessionId)
    await read().catch(() => {})
  }
  const wake = () => {
    if (isStarting()) return
    ports.woke()
    // news may have been missed: until the store has been read, no call trusts what is in memory
    const reading = read()
      .catch(() => {})
      .finally(() => {
        if (waking === reading) waking = undefined
      })
    waking = reading
  }

  const connect = () => {
    if (channel) return
    channel = ports.channel()
    stops = [channel.listen(hear), ports.wake?.listen(wake) ?? (() => {})]
  }

  return {
    view,
    ready,
    show,
    read,
    post,
    connect,
    get waking() {
      return waking
    },
    dispose() {
      cancelTimer()
      for (const stop of stops) stop()
      channel?.close()
      channel = undefined
      view.listeners.clear()
    },
  }
}

/** Joins the store and the refresh with the news of other realms. */
export function createLiveSession(ports: LiveSessionPorts): LiveSession {
  const { records, clock, now, authorization } = ports
  const upkeep = createUpkeep(ports)
  const { view, show, read, post, connect } = upkeep
  const isLeaving = () => view.state.status === 'signing-out'
  let starting: Promise<unknown> | undefined

  const beginUnlessThere = async () => {
    const { stored } = records
    if (!records.current && !(stored && 'unusable' in stored)) await ports.begin?.(epochOf(stored))
  }

  /** Why there is no session to use. */
  const noSession = async () =>
    (await unusableError()) ?? new AuthorizationRequiredError(reasonOf(view.state) ?? 'no_session')
  const unusableError = async () => {
    const { stored } = records
    return stored && 'unusable' in stored
      ? (await authorization.get()).unusableError(stored.unusable)
      : undefined
  }

  const acquire: LiveSession['acquire'] = async (options = {}) => {
    const { rejected, forceRefresh, resource, sessionId, signal } = options
    signal?.throwIfAborted()
    if (isLeaving()) throw new AuthorizationRequiredError('signed_out')
    const before = records.current
    if (!before) throw await noSession()
    // a call goes out in the session that it was made in, or not at all
    if (sessionId !== undefined && before.sessionId !== sessionId)
      throw new AuthorizationRequiredError('replaced')
    const unwanted = forceRefresh ? accessTokenOf(before, resource)?.accessToken : rejected
    const decision = decide(before, now(), unwanted, resource)
    if (decision.do === 'use') return decision.accessToken
    if (decision.do === 'authorize') {
      show()
      throw new AuthorizationRequiredError(decision.reason)
    }
    const refresh = async () => (await authorization.get()).refresh(before, resource, forceRefresh)
    try {
      await abortable(refresh(), signal)
    } catch (error) {
      if (!(error instanceof AuthorizationRequiredError)) throw error
      show()
      // a refresh token that is refused is no end where the grant can be run again
      if (!ports.begin || before.tokens.refreshToken === undefined) throw error
      await beginUnlessThere()
      return acquire(options)
    }
    // as it came, even if it has expired already: asking once more would not bring one that lasts longer
    const renewed = records.current
    if (!renewed) throw await noSession()
    if (renewed.sessionId !== before.sessionId) throw new AuthorizationRequiredError('replaced')
    const found = accessTokenOf(renewed, resource)
    if (!found?.accessToken)
      throw new LockTimeoutError('Somebody else refreshed at the same moment. Try again.')
    return found.accessToken
  }

  return {
    get session() {
      return view.session
    },
    subscribe: view.listeners.add,
    refreshView: read,

    async start(arrival) {
      connect()
      starting = arrival.catch(() => {})
      try {
        await arrival
      } finally {
        await read()
      }
      return view.session
    },

    async started() {
      connect()
      await starting
      await upkeep.waking
      if (!records.current || ports.limit?.isDue()) await read()
      await beginUnlessThere()
    },

    sessionId: () => records.current?.sessionId,
    ready: resource =>
      upkeep.waking || isLeaving() || ports.limit?.isDue() ? undefined : upkeep.ready(resource),
    begunAt: () => authorization.loaded?.begunAt() ?? 0,

    acquire,

    async signingIn(work) {
      connect()
      view.move({ type: 'sign-in-began' })
      try {
        return await work()
      } finally {
        view.move({ type: 'sign-in-ended' })
      }
    },

    signedOut: () =>
      new Promise(resolve => {
        if (!isLeaving()) return resolve()
        const stop = view.listeners.add(() => {
          if (isLeaving()) return
          stop()
          resolve()
        })
      }),

    returned: () => noteLeft(records),

    async signOut(atServer) {
      connect()
      const before = records.current
      view.move({ type: 'sign-out-began' })
      let isGone = false
      let stopWaiting = () => {}
      let sessionId = before?.sessionId ?? ''
      const gone = () => {
        if (!isGone) post({ type: 'session-left', sessionId })
        isGone = true
      }
      try {
        const ended = (await records.end('signed_out', undefined, clock.now() + LEAVING_MS)) ?? before
        const unusable = ended ? undefined : await unusableError()
        if (unusable) throw unusable
        sessionId = ended?.sessionId ?? sessionId
        ports.ended(sessionId)
        post({ type: 'session-changed' })
        stopWaiting = clock.after(LEAVING_MS, () => show(true), true)
        await atServer(ended, gone).catch(() => {}) // it has ended here, whatever the server hears of it
      } finally {
        stopWaiting()
        await noteLeft(records, sessionId)
        show(true)
        gone()
      }
    },

    dispose: upkeep.dispose,
  }
}
