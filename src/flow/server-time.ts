import type { Clock } from '../core/ports.ts'

/** What is known of the authorization server's clock: this device's may be hours off. */
export interface ServerTime {
  /** How far it is ahead of this device's; 0 as long as nothing was learnt. */
  aheadMs(): number
  learn(aheadMs: number): void
  /** By the answer's `Date` (RFC 9110 section 6.6.1), where a page may see that. */
  learnFrom(answer: Response): void
}

export function createServerTime(clock: Clock): ServerTime {
  let ahead = 0
  return {
    aheadMs: () => ahead,
    learn(aheadMs) {
      ahead = aheadMs
    },
    learnFrom({ headers }) {
      const time = Date.parse(headers.get('date') ?? '')
      if (time) ahead = time - clock.now()
    },
  }
}
