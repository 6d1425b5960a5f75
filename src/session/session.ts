import { decide } from '../core/decide.ts'
import { createListeners, type Listeners } from '../core/listeners.ts'
import type { Channel, EpochMs, News, Wake } from '../core/ports.ts'
import {
  type EndedSession,
  endOf,
  epochOf,
  type Session,
  type SessionRecord,
  sessionOf,
} from '../core/session.ts'
import {
  isSameState,
  type SessionEvent,
  type SessionState,
  toSession,
  transition,
} from '../core/session-state.ts'
import { AuthorizationRequiredError, ConfigurationError, type EndReason } from '../errors.ts'
import { createRefresher, type Refresher, type RefresherPorts } from './refresher.ts'

export interface LiveSessionPorts extends Omit<RefresherPorts, 'changed' | 'adopted' | 'noSession' | 'left'> {
  /** Opens the news of the others who share the store. */
  channel(): Channel
  readonly wake: Wake | undefined
  /** The id of a session whose record was changed here, by another part of this client. */
  readonly changes: Listeners<string>
  /** A session was ended here. */
  ended(sessionId: string): void
}

/** The session of one client as it lives in one realm: the only owner of its state. */
export interface LiveSession extends Pick<Refresher, 'ready' | 'acquire' | 'begunAt'> {
  readonly session: Session
  subscribe(listener: (session: Session) => void): () => void
  /**
   * Waits for `arrival`, after which the store may hold another session, then reads the store.
   * @param arrival the reason why nobody is signed in, where that was found out.
   */
  start(arrival: Promise<EndReason | undefined>): Promise<Session>
  /** Settles when the store has been read once, after a start that is under way. */
  started(): Promise<void>
  /** Reads the store and shows what is there. */
  refreshView(): Promise<Session>
  /** Which session `ready` and `acquire` are about, as far as this realm knows. */
  sessionId(): string | undefined
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
  /**
   * Takes the one attempt there is to restore a session that has ended.
   * @returns whose it was, where that is known.
   * @throws AuthorizationRequiredError unless there is one that nobody has tried to restore yet.
   */
  beginRecovery(): Promise<string | undefined>
  dispose(): void
}

/** How long a sign-out is shown as under way at most: the server's answers, then the way to the provider. */
const LEAVING_MS = 20_000

/** The end of a session that only its user can renew. */
function expired(record: SessionRecord | undefined, now: EpochMs): EndedSession | undefined {
  const decision = decide(record, now)
  if (!record || decision.do !== 'authorize') return undefined
  const { sessionId, epoch, tokens } = record
  return { schema: 1, ended: decision.reason, sessionId, epoch, subject: tokens.claims?.sub }
}

const recordOf = (state: SessionState) => (state.status === 'signed-in' ? state.record : undefined)
const reasonOf = (state: SessionState) => ('reason' in state ? state.reason : undefined)

/** The state, and the snapshot that apps see of it. */
function createView({ emit }: Pick<LiveSessionPorts, 'emit'>) {
  const listeners = createListeners<Session>()
  const left = createListeners<{ readonly reason: EndReason; readonly sessionId: string }>()
  let state: SessionState = { status: 'starting' }
  let session = toSession(state)
  return {
    listeners,
    /** This realm has a session no more. */
    left,
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

/** What a client knows of its session's end, in the store. */
function createEnding({ records, now }: Pick<LiveSessionPorts, 'records' | 'now'>) {
  return {
    /** The page that signed out has left: whoever comes later sees that too. */
    leftFor: (sessionId = endOf(records.stored)?.sessionId) =>
      records
        .amend(stored => {
          const ended = endOf(stored)
          return ended?.leavingUntil && ended.sessionId === (sessionId ?? ended.sessionId)
            ? { ...ended, leavingUntil: undefined }
            : undefined
        })
        .catch(() => {}),

    /** Stores why an attempt without the user left nobody signed in. */
    noteReason: (ended: EndReason) =>
      records
        .amend(stored =>
          sessionOf(stored) || (stored && 'unusable' in stored)
            ? undefined
            : { schema: 1, sessionId: '', epoch: epochOf(stored), ...endOf(stored), ended },
        )
        .catch(() => {}),

    async beginRecovery() {
      let found: EndedSession | undefined
      // one attempt in all, however many tabs begin it
      await records.amend(stored => {
        found = endOf(stored) ?? expired(sessionOf(stored), now())
        return found && found.ended !== 'signed_out' ? { ...found, tried: true } : undefined
      })
      if (!found || found.ended === 'signed_out') throw new AuthorizationRequiredError('no_session')
      if (found.tried) throw new AuthorizationRequiredError('interaction_required')
      return found.subject
    },
  }
}

/** What keeps a session's view true while the store, the time and the other realms change it. */
function createUpkeep(ports: LiveSessionPorts) {
  const { records, clock, now } = ports
  const view = createView(ports)
  const ending = createEnding(ports)
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
    const leavingUntil = status === 'signing-out' ? endOf(records.stored)?.leavingUntil : undefined
    const waitMs = (leavingUntil ?? recordOf(view.state)?.trouble?.until ?? 0) - clock.now()
    if (waitMs > 0 && channel) {
      const due = () => {
        show()
        refresher.ready()
      }
      cancelTimer = clock.after(waitMs, due, true)
    }
  }

  const post = (news: News) => channel?.post(news)
  const changed = (sessionId: string) => {
    connect()
    const ended = endOf(records.stored)
    show()
    if (!ended) return post({ type: 'session-changed' })
    ports.ended(sessionId)
    post({ type: 'session-ended', sessionId, reason: ended.ended })
  }
  ports.changes.add(changed)

  const noSession = () => {
    const { stored } = records
    return stored && 'unusable' in stored
      ? new ConfigurationError(stored.unusable)
      : new AuthorizationRequiredError(reasonOf(view.state) ?? 'no_session')
  }
  const refresher = createRefresher({ ...ports, changed, adopted: () => show(), noSession, left: view.left })

  const read = async (): Promise<Session> => {
    try {
      await records.read()
    } catch (error) {
      hasFailed = true
      if (!records.stored) throw error // a store that fails ends no session
    }
    show()
    refresher.ready() // begins what is due, such as a refresh that was cut off
    return view.session
  }

  /** Until the store was read once, nothing that happens is of interest. */
  const isStarting = () => view.state.status === 'starting' && !hasFailed
  const hear = async (news: News) => {
    if (news.type === 'session-ended') records.drop(news.sessionId)
    if (isStarting()) return
    if (news.type === 'session-left') await ending.leftFor(news.sessionId)
    await read().catch(() => {})
  }
  const wake = () => {
    if (isStarting()) return
    refresher.wake()
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
    ending,
    refresher,
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
  const { records, clock } = ports
  const upkeep = createUpkeep(ports)
  const { view, ending, refresher, show, read, post, connect } = upkeep
  const isLeaving = () => view.state.status === 'signing-out'
  let starting: Promise<unknown> | undefined

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
        const ended = await arrival
        if (ended) await ending.noteReason(ended)
      } finally {
        await read()
      }
      return view.session
    },

    async started() {
      connect()
      await starting
      await upkeep.waking
      if (!records.current) await read()
    },

    sessionId: () => records.current?.sessionId,
    ready: resource => (upkeep.waking || isLeaving() ? undefined : refresher.ready(resource)),
    begunAt: refresher.begunAt,

    async acquire(request) {
      if (isLeaving()) throw new AuthorizationRequiredError('signed_out')
      try {
        return await refresher.acquire(request)
      } catch (error) {
        if (error instanceof AuthorizationRequiredError) show()
        throw error
      }
    },

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

    returned: () => ending.leftFor(),

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
        const { stored } = records
        if (stored && 'unusable' in stored && !ended) throw new ConfigurationError(stored.unusable)
        sessionId = ended?.sessionId ?? sessionId
        ports.ended(sessionId)
        post({ type: 'session-changed' })
        stopWaiting = clock.after(LEAVING_MS, () => show(true), true)
        await atServer(ended, gone).catch(() => {}) // it has ended here, whatever the server hears of it
      } finally {
        stopWaiting()
        await ending.leftFor(sessionId)
        show(true)
        gone()
      }
    },

    beginRecovery: ending.beginRecovery,
    dispose: upkeep.dispose,
  }
}
