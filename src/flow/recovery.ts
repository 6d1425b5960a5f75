import type { EventBody } from '../core/events.ts'
import type { KeyValue } from '../core/ports.ts'
import { AuthorizationRequiredError } from '../errors.ts'

/** What is remembered of a session that ended by itself. */
interface Ended {
  /** Whether it was tried to have it back. */
  readonly tried: boolean
}

export interface Recovery {
  /** Remembers how a session ended; a sign-in or the user's own sign-out makes that forgotten. */
  note(event: EventBody): void
  /** @throws AuthorizationRequiredError unless there is a session to have back that nobody has tried to have back yet. */
  begin(): Promise<void>
}

/** Whether a session that is over can be had back without asking the user. Kept in the store: a reload changes nothing. */
export function createRecovery({
  keyValue,
  name,
}: {
  readonly keyValue: KeyValue
  readonly name: string
}): Recovery {
  const key = `${name} ended`
  const keep = (ended: Ended | undefined) => {
    // other tabs tell the same end later: a try that was made in between stays made
    const change = (stored: unknown) => (ended && (stored as Ended | undefined)?.tried ? stored : ended)
    void keyValue.update(key, change).catch(() => {})
  }

  return {
    note(event) {
      if (event.type === 'token-response' && event.grantType === 'authorization_code') keep(undefined)
      if (event.type !== 'session-ended') return
      const { reason } = event
      keep(reason === 'signed_out' || reason === 'replaced' ? undefined : { tried: false })
    },
    async begin() {
      let found: Ended | undefined
      // one try in all, however many tabs begin it
      await keyValue.update(key, stored => {
        found = stored as Ended | undefined
        return found && { tried: true }
      })
      if (!found) throw new AuthorizationRequiredError('no_session')
      if (found.tried) throw new AuthorizationRequiredError('interaction_required')
    },
  }
}
