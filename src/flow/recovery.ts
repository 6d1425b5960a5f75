import type { EventBody } from '../core/events.ts'
import type { KeyValue } from '../core/ports.ts'
import { AuthorizationRequiredError } from '../errors.ts'

/** What is remembered of a session that ended by itself. */
interface Ended {
  /** Whether it was tried to have it back. */
  readonly tried: boolean
  /** Whose it was (`sub`). */
  readonly subject?: string | undefined
}

export interface Recovery {
  /** Remembers how a session ended; a sign-in or the user's own sign-out makes that forgotten. */
  note(event: EventBody): void
  /**
   * @returns whose session there is to have back, where that is known.
   * @throws AuthorizationRequiredError unless there is one that nobody has tried to have back yet.
   */
  begin(): Promise<string | undefined>
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
  let subject: string | undefined
  const keep = (ended: Ended | undefined) => {
    // other tabs tell the same end later: a try that was made in between stays made
    const change = (stored: unknown) => (ended && (stored as Ended | undefined)?.tried ? stored : ended)
    void keyValue.update(key, change).catch(() => {})
  }

  return {
    note(event) {
      if (event.type === 'token-response' && event.grantType === 'authorization_code') keep(undefined)
      if (event.type === 'session-started') subject = event.subject
      if (event.type !== 'session-ended') return
      const { reason } = event
      keep(reason === 'signed_out' || reason === 'replaced' ? undefined : { tried: false, subject })
    },
    async begin() {
      let found: Ended | undefined
      // one try in all, however many tabs begin it
      await keyValue.update(key, stored => {
        found = stored as Ended | undefined
        return found && { ...found, tried: true }
      })
      if (!found) throw new AuthorizationRequiredError('no_session')
      if (found.tried) throw new AuthorizationRequiredError('interaction_required')
      return found.subject
    },
  }
}
