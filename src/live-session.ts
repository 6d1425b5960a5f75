import type { Emit } from './core/events.ts'
import type { Channel, Clock, Wake } from './core/ports.ts'
import type { Session, SessionRecord } from './core/session.ts'
import { AuthorizationRequiredError, type EndReason } from './errors.ts'
import { createRefresher, type Refresher, type RefresherPorts } from './refresh/refresher.ts'
import { createSessionView } from './store/session-view.ts'
import type { TokenStore } from './store/token-store.ts'

export interface LiveSessionPorts extends Omit<RefresherPorts, 'records' | 'changed' | 'adopted'> {
  readonly records: TokenStore
  readonly channel: Channel
  readonly wake: Wake | undefined
  /** A session was ended here. */
  ended(sessionId: string): void
  readonly clock: Clock
  readonly emit: Emit
}

/** The session of one client as it lives in one realm, however it began: what is stored, shown and renewed. */
export interface LiveSession {
  readonly session: Session
  subscribe(listener: (session: Session) => void): () => void
  /** Reads the store and shows what is there. `reason`: why there may be nothing any more. */
  look(reason?: EndReason): Promise<Session>
  /** The record was changed here, or is gone for this reason: tells this realm and the others. */
  changed(record: SessionRecord | undefined, sessionId: string, reason?: EndReason): void
  /**
   * Waits for `arrival`, after which the store may hold another session, and shows what is there. It may tell why there
   * is nothing.
   */
  start(arrival: Promise<EndReason | undefined>): Promise<Session>
  /** Settles when the store has been read once, after a start that is under way. */
  started(): Promise<void>
  /** Which session `ready` and `acquire` are about, as far as this realm knows. */
  sessionId(): string | undefined
  readonly ready: Refresher['ready']
  readonly acquire: Refresher['acquire']
  readonly begunAt: Refresher['begunAt']
  /** Removes the session here and for all who share the store. Default reason: signed out. @returns what was removed. */
  end(reason?: EndReason): Promise<SessionRecord | undefined>
  /** This realm knows of no session any more, whatever became of the store. */
  forget(): void
  dispose(): void
}

/** Joins the store and the refresh with the news of other realms. */
export function createLiveSession(ports: LiveSessionPorts): LiveSession {
  const { records, channel } = ports
  const view = createSessionView({ ...ports, ended: (...over) => refresher.end(...over) })
  let starting: Promise<unknown> | undefined
  let waking: Promise<unknown> | undefined

  const changed: LiveSession['changed'] = (record, sessionId, reason) => {
    view.publish(record, reason)
    if (!record) ports.ended(sessionId)
    channel.post(
      record
        ? { type: 'session-changed' }
        : { type: 'session-ended', sessionId, reason: reason ?? 'signed_out' },
    )
  }
  const refresher = createRefresher({ ...ports, changed, adopted: view.publish })

  const look: LiveSession['look'] = async reason => {
    const found = await records.read().catch(error => {
      if (records.current) return records.current // a store that fails ends no session
      throw error
    })
    const session = view.publish(found, reason)
    refresher.ready() // begins what is due, such as a refresh that was cut off
    return session
  }

  const stops = [
    channel.listen(news => {
      if (view.session.status === 'starting') return // start() is about to read the store
      void look('reason' in news ? (news.reason as EndReason) : undefined).catch(() => {})
    }),
    ports.wake?.listen(() => {
      if (view.session.status === 'starting') return
      refresher.wake()
      // news may have been missed: until the store has been read, no call trusts what is in memory
      const reading = look()
        .catch(() => {})
        .finally(() => {
          if (waking === reading) waking = undefined
        })
      waking = reading
    }),
    channel.close,
    view.dispose,
  ]

  return {
    get session() {
      return view.session
    },
    subscribe: view.subscribe,
    look,
    changed,

    async start(arrival) {
      starting = arrival.catch(() => {})
      let reason: EndReason | undefined
      try {
        reason = await arrival
      } finally {
        await look(reason)
      }
      return view.session
    },

    async started() {
      await starting
      await waking
      if (!records.current) await look()
    },

    sessionId: () => records.current?.sessionId,

    ready: resource => (waking ? undefined : refresher.ready(resource)),

    async acquire(request) {
      try {
        return await refresher.acquire(request)
      } catch (error) {
        if (error instanceof AuthorizationRequiredError) view.publish(records.current, error.reason)
        throw error
      }
    },

    begunAt: refresher.begunAt,

    async end(reason = 'signed_out') {
      const before = records.current
      const ended = (await records.clear()) ?? before
      if (ended) changed(undefined, ended.sessionId, reason)
      return ended
    },

    forget() {
      records.forget()
      view.publish(undefined, 'signed_out')
    },

    dispose() {
      for (const stop of stops) stop?.()
    },
  }
}
