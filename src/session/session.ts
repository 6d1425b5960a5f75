import { batched } from '../core/waiting.ts'
import { createAccess } from './access.ts'
import type { LiveSession, LiveSessionPorts } from './ports.ts'
import { createSignOut } from './sign-out.ts'
import { createUpkeep } from './upkeep.ts'

/** Joins the parts of a session: its view, its access tokens, and its sign-out. */
export function createLiveSession(ports: LiveSessionPorts): LiveSession {
  const { records, authorization, limit } = ports
  const upkeep = createUpkeep(ports)
  const { view, read, connect } = upkeep
  const { beginUnlessThere, acquire } = createAccess(ports, upkeep)
  const readForCalls = batched(read)
  let starting: Promise<unknown> | undefined

  return {
    get session() {
      return view.session
    },
    subscribe: view.listeners.add,
    refreshView: read,

    async start(arrival) {
      connect(true)
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
      if (!records.current || limit?.isDue()) await readForCalls()
      await beginUnlessThere()
    },

    sessionId: () => records.current?.sessionId,
    ready: resource =>
      upkeep.waking || view.state.status === 'signing-out' || limit?.isDue()
        ? undefined
        : upkeep.ready(resource),
    refreshStartedAt: () => authorization.loaded?.refreshStartedAt() ?? 0,

    acquire,

    async signingIn(work) {
      connect(true)
      view.move({ type: 'sign-in-began' })
      try {
        return await work()
      } finally {
        view.move({ type: 'sign-in-ended' })
      }
    },

    ...createSignOut(ports, upkeep),

    dispose: upkeep.dispose,
  }
}
