import type { Clock } from '../core/ports.ts'
import type { Transport } from './transport.ts'

/** What is known of the authorization server's clock: this device's may be hours off. */
export interface ServerTime {
  /** How far it is ahead of this device's; 0 as long as nothing was learnt. */
  aheadMs(): number
  learn(aheadMs: number): void
  /** The same transport, learning from the `Date` of its answers (RFC 9110 section 6.6.1), where a page may see that. */
  watch(transport: Transport): Transport
}

export function createServerTime(clock: Clock): ServerTime {
  let ahead = 0
  return {
    aheadMs: () => ahead,
    learn(aheadMs) {
      ahead = aheadMs
    },
    watch: transport => async (url, init) => {
      const answer = await transport(url, init)
      const time = Date.parse(answer.headers.get('date') ?? '')
      if (time) ahead = time - clock.now()
      return answer
    },
  }
}
