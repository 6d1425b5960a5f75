import { LEAVING_MS } from '../core/session-state.ts'
import { unusableError } from './access.ts'
import type { LiveSession, LiveSessionPorts } from './ports.ts'
import { noteLeft, type Upkeep } from './upkeep.ts'

export function createSignOut(
  ports: Pick<LiveSessionPorts, 'records' | 'authorization' | 'clock' | 'ended' | 'host'>,
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
      const onLeft = () => {
        if (!isGone) post({ type: 'session-left', sessionId })
        isGone = true
      }
      try {
        // the host knows only what is in the store
        const hosted = before && !records.unsaved && (await ports.host?.signOut(sessionId)) && sessionId
        const removed = (await records.end('signed_out', undefined, clock.now() + LEAVING_MS)) ?? before
        const unusable = removed ? undefined : await unusableError(ports)
        if (unusable) throw unusable
        sessionId = removed?.sessionId ?? sessionId
        ports.ended(sessionId)
        post({ type: 'session-changed' })
        stopWaiting = clock.after(LEAVING_MS, () => show(true), true)
        // the session has ended here, even if the server could not be told
        await atServer(removed, onLeft, sessionId === hosted).catch(() => {})
      } finally {
        stopWaiting()
        await noteLeft(records, sessionId)
        show(true)
        onLeft()
      }
    },
  }
}
