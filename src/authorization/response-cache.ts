import type { Members } from '../core/members.ts'
import type { Clock, KeyValue } from '../core/ports.ts'

/** What the server has responded, in the store: later pages need not request it again. */
export interface ResponseCache {
  /** Returns what was written, unless that is too long ago. Someone else may have written something else. */
  read(): Promise<Members>
  /** Best effort. */
  write(members: Members): void
}

/** @param ms how long to use what was written. */
export const responseCache = (
  keyValue: KeyValue | undefined,
  key: string,
  clock: Clock,
  ms: number,
): ResponseCache => ({
  async read() {
    const stored: Members = Object(await keyValue?.get(key).catch(() => {}))
    const left = Number(stored.until) - clock.now()
    return left > 0 && left <= ms ? stored : {}
  },
  write(members) {
    const stored = { ...members, until: clock.now() + ms }
    void keyValue?.update(key, () => stored).catch(() => {})
  },
})
