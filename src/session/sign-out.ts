import type { SessionRecords } from '../core/authorization.ts'
import { endOf } from '../core/session.ts'
import { LEAVING_MS } from '../core/session-state.ts'
import { unusableError } from './access.ts'
import type { LiveSession, LiveSessionPorts } from './session.ts'
import type { Upkeep } from './upkeep.ts'

/** Stores that the page that signed out has left, so that clients that start later see it too. Best effort. */
export const noteLeft = (
  records: SessionRecords,
  sessionId = endOf(records.stored)?.sessionId,
): Promise<void> =>
  records
    .amend(stored => {
      const ended = endOf(stored)
      return ended?.leavingUntil && ended.sessionId === (sessionId ?? ended.sessionId)
        ? { ...ended, leavingUntil: undefined }
        : undefined
    })
    .catch(() => {})

export function createSignOut(
  ports: Pick<LiveSessionPorts, 'records' | 'authorization' | 'clock' | 'ended'>,
  { view, show, post, connect }: Upkeep,
): Pick<LiveSession, 'signedOut' | 'returned' | 'signOut'> {
  const { records, clock } = ports
  const isLeaving = () => view.state.status === 'signing-out'
  return {
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
        const removed = (await records.end('signed_out', undefined, clock.now() + LEAVING_MS)) ?? before
        const unusable = removed ? undefined : await unusableError(ports)
        if (unusable) throw unusable
        sessionId = removed?.sessionId ?? sessionId
        ports.ended(sessionId)
        post({ type: 'session-changed' })
        stopWaiting = clock.after(LEAVING_MS, () => show(true), true)
        await atServer(removed, gone).catch(() => {}) // the session has ended here, even if the server could not be told
      } finally {
        stopWaiting()
        await noteLeft(records, sessionId)
        show(true)
        gone()
      }
    },
  }
}
