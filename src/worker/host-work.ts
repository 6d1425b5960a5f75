import type { Authorization, SessionRecords } from '../core/authorization.ts'
import type { Clock, HostedRefresh } from '../core/ports.ts'
import { accessTokenOf, type Stored, sessionOf } from '../core/session.ts'
import { LEAVING_MS } from '../core/session-state.ts'

export interface HostWorkPorts {
  readonly records: SessionRecords
  readonly clock: Clock
  /** Starts this worker's own client, and counts as a wake: the page has already waited as long as the back-off requires. */
  start(): Promise<unknown>
  /** Reports to all tabs that this client changed the stored session. */
  changed(sessionId: string): void
  authorization(): Promise<Pick<Authorization, 'refresh' | 'signOut'>>
  hash(text: string): Promise<string>
}

/** What a worker does for the pages of one client. */
export interface HostWork {
  refresh(request: HostedRefresh): Promise<void>
  /** Ends a session, unless the page has, and revokes its tokens. @param taken called when the worker has read them. */
  signOut(sessionId: string, taken: () => void): Promise<void>
}

export function createHostWork(ports: HostWorkPorts): HostWork {
  const { records, clock, start, changed, authorization } = ports
  return {
    async refresh({ sessionId, unusable, resource, isForced }) {
      await start()
      const found = records.current
      if (found?.sessionId !== sessionId) return
      const accessToken = accessTokenOf(found, resource)?.accessToken
      if ((await ports.hash(accessToken ?? '')) !== unusable) return // already refreshed
      await (await authorization()).refresh(found, resource, isForced)
    },

    async signOut(sessionId, taken) {
      await start()
      const isSame = (found: Stored) => sessionOf(found)?.sessionId === sessionId
      const known = sessionOf(await records.read())
      if (!known || !isSame(known)) return
      taken()
      const leavingUntil = clock.now() + LEAVING_MS // the page may still be leaving for the provider
      // also if the store cannot be written: a refresh of this session ends here too
      const ended = await records.end('signed_out', isSame, leavingUntil).catch(() => known)
      if (ended) changed(sessionId)
      await (await authorization()).signOut({ endProviderSession: false }, ended ?? known, () => {})
    },
  }
}
