import { decide } from '../core/decide.ts'
import { createListeners, type Listeners } from '../core/listeners.ts'
import type { Channel, News, Wake } from '../core/ports.ts'
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

export interface LiveSessionPorts extends Omit<RefresherPorts, 'changed' | 'adopted' | 'noSession'> {
  /** Opens the news of the others who share the store. */
  channel(): Channel
  readonly wake: Wake | undefined
  /** The id of a session whose record was changed here, by another part of this client. */
  readonly changes: Listeners<string>
  /** A session was ended here. */
  ended(sessionId: string): void
}

/** The session of one client as it lives in one realm: the only owner of its state. */
export interface LiveSession {
  readonly session: Session
  subscribe(listener: (session: Session) => void): () => void
  /**
   * Waits for `arrival`, after which the store may hold another session, and shows what is there. It may tell why there
   * is nothing.
   */
  start(arrival: Promise<EndReason | undefined>): Promise<Session>
  /** Settles when the store has been read once, after a start that is under way. */
  started(): Promise<void>
  /** Reads the store and shows what is there. */
  look(): Promise<Session>
  /** Which session `ready` and `acquire` are about, as far as this realm knows. */
  sessionId(): string | undefined
  readonly ready: Refresher['ready']
  readonly acquire: Refresher['acquire']
  readonly begunAt: Refresher['begunAt']
  /** Shows `signing-in` until `work` settles, unless somebody is signed in. */
  signingIn<T>(work: () => Promise<T>): Promise<T>
  /** Settles when no sign-out is under way, here or in another tab. */
  signedOut(): Promise<void>
  /** This page has come back from the end of the provider's session: the sign-out is done. */
  returned(): Promise<void>
  /** Removes the session here and for all who share the store. @returns what was removed. */
  end(reason: EndReason): Promise<SessionRecord | undefined>
  /**
   * The user's own end of the session: shows `signing-out` here and in the other tabs until `farewell` settles.
   * @param farewell is given what was removed, and calls `gone` when this page has left.
   */
  signOut(farewell: (ended: SessionRecord | undefined, gone: () => void) => Promise<void>): Promise<void>
  /**
   * Takes the one try there is to restore a session that is over.
   * @returns whose it was, where that is known.
   * @throws AuthorizationRequiredError unless there is one that nobody has tried to restore yet.
   */
  beginRecovery(): Promise<string | undefined>
  dispose(): void
}

/** How long a sign-out is shown as under way at most: the server's answers, then the way to the provider. */
const LEAVING_MS = 20_000

/** The end of a session that only its user can renew. */
function expired(record: SessionRecord | undefined, now: number): EndedSession | undefined {
  const decision = decide(record, now)
  if (!record || decision.do !== 'authorize') return undefined
  const { sessionId, epoch, tokens } = record
  return { schema: 1, ended: decision.reason, sessionId, epoch, subject: tokens.claims?.sub }
}

/** Joins the store and the refresh with the news of other realms. */
export function createLiveSession(ports: LiveSessionPorts): LiveSession {
  const { records, clock, now, emit } = ports
  const listeners = createListeners<Session>()
  let state: SessionState = { status: 'starting' }
  let session = toSession(state)
  let channel: Channel | undefined
  let stops: (() => void)[] = []
  let cancelTimer = () => {}
  let hasFailed = false
  let starting: Promise<unknown> | undefined
  let waking: Promise<unknown> | undefined

  const move = (event: SessionEvent): Session => {
    const before = state
    state = transition(before, event)
    if (isSameState(before, state)) return session
    session = toSession(state)
    const [old, now] = [before, state].map(one => (one.status === 'signed-in' ? one.record : undefined))
    if (old && old.sessionId !== now?.sessionId) {
      const reason = now ? 'replaced' : ('reason' in state && state.reason) || 'signed_out'
      refresher.end(reason, old.sessionId)
      emit({ type: 'session-ended', reason })
    }
    if (now && now.sessionId !== old?.sessionId) {
      emit({ type: 'session-started', subject: now.tokens.claims?.sub })
    }
    listeners.tell(session)
    return session
  }

  /** Shows what was last read or written. */
  const show = (isOver = false): Session => {
    const shown = move({ type: 'stored', stored: records.stored, now: now(), isOver })
    watchTime()
    return shown
  }

  /** What ends by itself: another page's sign-out, and the pause after a refresh that failed. */
  const watchTime = () => {
    cancelTimer()
    const leavingUntil = state.status === 'signing-out' ? endOf(records.stored)?.leavingUntil : undefined
    const until = leavingUntil ?? (state.status === 'signed-in' ? state.record.trouble?.until : undefined)
    const waitMs = (until ?? 0) - clock.now()
    if (waitMs <= 0 || !channel) return
    const due = () => {
      show()
      refresher.ready()
    }
    cancelTimer = clock.after(waitMs, due, true)
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
  const noSession = () => {
    const { stored } = records
    return stored && 'unusable' in stored
      ? new ConfigurationError(stored.unusable)
      : new AuthorizationRequiredError(('reason' in state && state.reason) || 'no_session')
  }
  const refresher = createRefresher({ ...ports, changed, adopted: () => void show(), noSession })

  const look = async (): Promise<Session> => {
    try {
      await records.read()
    } catch (error) {
      hasFailed = true
      if (!records.stored) throw error // a store that fails ends no session
    }
    const shown = show()
    refresher.ready() // begins what is due, such as a refresh that was cut off
    return shown
  }

  /** The page that signed out has left: whoever comes later sees that too. */
  const leftFor = async (sessionId = endOf(records.stored)?.sessionId) => {
    await records.amend(stored => {
      const ended = endOf(stored)
      return ended?.leavingUntil && ended.sessionId === (sessionId ?? ended.sessionId)
        ? { ...ended, leavingUntil: undefined }
        : undefined
    })
  }

  /** Why a try without the user has left nobody signed in. */
  const noteReason = (ended: EndReason) =>
    records.amend(stored =>
      sessionOf(stored) || (stored && 'unusable' in stored)
        ? undefined
        : { schema: 1, sessionId: '', epoch: epochOf(stored), ...endOf(stored), ended },
    )

  /** start() is about to read the store, and has not failed to. */
  const isStarting = () => state.status === 'starting' && !hasFailed

  const connect = () => {
    if (channel) return
    channel = ports.channel()
    stops = [
      channel.listen(async news => {
        if (news.type === 'session-ended') records.drop(news.sessionId)
        if (isStarting()) return
        try {
          if (news.type === 'session-left') await leftFor(news.sessionId)
          await look()
        } catch {}
      }),
      ports.wake?.listen(() => {
        if (isStarting()) return
        refresher.wake()
        // news may have been missed: until the store has been read, no call trusts what is in memory
        const reading = look()
          .catch(() => {})
          .finally(() => {
            if (waking === reading) waking = undefined
          })
        waking = reading
      }),
    ].filter(stop => stop !== undefined)
  }

  ports.changes.add(changed)

  return {
    get session() {
      return session
    },
    subscribe: listeners.add,
    look,

    async start(arrival) {
      connect()
      starting = arrival.catch(() => {})
      try {
        const ended = await arrival
        if (ended) await noteReason(ended).catch(() => {})
      } finally {
        await look()
      }
      return session
    },

    async started() {
      connect()
      await starting
      await waking
      if (!records.current) await look()
    },

    sessionId: () => records.current?.sessionId,

    ready: resource => (waking || state.status === 'signing-out' ? undefined : refresher.ready(resource)),

    async acquire(request) {
      if (state.status === 'signing-out') throw new AuthorizationRequiredError('signed_out')
      try {
        return await refresher.acquire(request)
      } catch (error) {
        if (error instanceof AuthorizationRequiredError) show()
        throw error
      }
    },

    begunAt: refresher.begunAt,

    async signingIn(work) {
      connect()
      move({ type: 'sign-in-began' })
      try {
        return await work()
      } finally {
        move({ type: 'sign-in-ended' })
      }
    },

    signedOut: () =>
      new Promise(resolve => {
        if (state.status !== 'signing-out') return resolve()
        const stop = listeners.add(({ status }) => {
          if (status === 'signing-out') return
          stop()
          resolve()
        })
      }),

    returned: () => leftFor().catch(() => {}),

    async end(reason) {
      const ended = await records.end(reason)
      if (ended) changed(ended.sessionId)
      return ended
    },

    async signOut(farewell) {
      connect()
      const before = records.current
      move({ type: 'sign-out-began' })
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
        stopWaiting = clock.after(LEAVING_MS, () => void show(true), true)
        await farewell(ended, gone).catch(() => {}) // it is over here, whatever the server hears of it
      } finally {
        stopWaiting()
        await leftFor(sessionId).catch(() => {})
        show(true)
        gone()
      }
    },

    async beginRecovery() {
      let found: EndedSession | undefined
      // one try in all, however many tabs begin it
      await records.amend(stored => {
        found = endOf(stored) ?? expired(sessionOf(stored), now())
        return found && found.ended !== 'signed_out' ? { ...found, tried: true } : undefined
      })
      if (!found || found.ended === 'signed_out') throw new AuthorizationRequiredError('no_session')
      if (found.tried) throw new AuthorizationRequiredError('interaction_required')
      return found.subject
    },

    dispose() {
      cancelTimer()
      for (const stop of stops) stop()
      channel?.close()
      channel = undefined
      listeners.clear()
    },
  }
}
