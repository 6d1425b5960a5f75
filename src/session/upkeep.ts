import type { SessionRecords } from '../core/authorization.ts'
import type { Channel, News } from '../core/ports.ts'
import { endedSessionOf, type Session } from '../core/session.ts'
import { leavingMs } from '../core/session-state.ts'
import { createReady } from './access.ts'
import type { LiveSessionPorts } from './ports.ts'
import { createView, recordOf } from './view.ts'

/** Stores that the page that signed out has left, so that clients that start later see it too. Best effort. */
export const noteLeft = (records: SessionRecords, sessionId = records.stored?.sessionId): Promise<unknown> =>
  records
    .update(stored => {
      const ended = endedSessionOf(stored)
      return ended?.leavingUntil && (!sessionId || ended.sessionId === sessionId)
        ? { ...ended, leavingUntil: undefined }
        : undefined
    })
    .catch(() => {})

/** Hears the news of the other clients of the store, and when the app wakes. */
function createConnection(
  ports: Pick<LiveSessionPorts, 'channel' | 'wake'>,
  hear: (news: News) => void,
  wake: () => void,
) {
  /** `null` after `dispose()`. */
  let channel: Channel | null | undefined
  let stops: (() => void)[] = []
  return {
    isOpen: () => Boolean(channel),
    post: (news: News) => channel?.post(news),
    /** @param isAgain whether also after `dispose()`. A call that goes on after it does not hear news any more. */
    connect(isAgain = false) {
      if (channel || (channel === null && !isAgain)) return
      channel = ports.channel()
      stops = [channel.listen(hear), ports.wake?.listen(wake) ?? (() => {})]
    },
    dispose() {
      for (const stop of stops) stop()
      channel?.close()
      channel = null
    },
  }
}

export type Upkeep = ReturnType<typeof createUpkeep>

/** Keeps the view of the session correct while the store, the time and the other clients of the store change it. */
export function createUpkeep(ports: LiveSessionPorts) {
  const { records, clock, now, limit } = ports
  const view = createView(ports)
  const ready = createReady(ports)
  let cancelTimer = () => {}
  let hasFailed = false
  let waking: Promise<unknown> | undefined

  /** Shows the value that was last read or written. @param isOver whether a sign-out in progress no longer counts. */
  const show = (isOver = false): void => {
    view.move({ type: 'stored', stored: records.stored, now: now(), isOver })
    // two states end with time: the sign-out of another page, and the pause after a failed refresh
    cancelTimer()
    const leaving = view.state.status === 'signing-out' ? endedSessionOf(records.stored) : undefined
    const waitMs = leaving
      ? leavingMs(leaving, now())
      : (recordOf(view.state)?.trouble?.until ?? 0) - clock.now()
    if (waitMs <= 0 || !connection.isOpen()) return
    const due = () => {
      show(Boolean(leaving)) // the wait is over, even if the clock was set back
      ready()
    }
    cancelTimer = clock.after(waitMs, due, true)
  }

  const read = async (): Promise<Session> => {
    try {
      await records.read()
    } catch (error) {
      hasFailed = true
      if (!records.stored) throw error // a store that fails ends no session
    }
    if (limit) await limit.check() // before the app sees the session
    show()
    ready() // begins a refresh that is due, for example after one that was interrupted
    return view.session
  }

  /** News and wakes do not matter before the store was read for the first time. */
  const isStarting = () => view.state.status === 'starting' && !hasFailed
  const hear = async (news: News) => {
    if (news.type === 'session-ended') records.drop(news)
    if (isStarting()) return
    if (news.type === 'session-left') await noteLeft(records, news.sessionId)
    await read().catch(() => {})
  }
  const wake = () => {
    if (isStarting()) return
    ports.woke()
    // this client may have missed news: no call uses the tokens in memory before the store has been read
    const reading = read()
      .catch(() => {})
      .finally(() => {
        if (waking === reading) waking = undefined
      })
    waking = reading
  }
  const connection = createConnection(ports, hear, wake)
  const { post, connect } = connection

  ports.changes.add(sessionId => {
    if (sessionId === undefined) return show()
    connect()
    const ended = endedSessionOf(records.stored)
    show()
    if (!ended) {
      limit?.check()
      return post({ type: 'session-changed' })
    }
    ports.ended(sessionId)
    post({ type: 'session-ended', sessionId, reason: ended.ended })
  })

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
      connection.dispose()
      view.listeners.clear()
    },
  }
}
