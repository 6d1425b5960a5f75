import type { Clock } from '../core/ports.ts'
import type { Transport } from './endpoint.ts'

/** What is known of the authorization server's clock: this device's may be hours off. */
export interface ServerTime {
  /** How far it is ahead of this device's; 0 as long as nothing was learnt. */
  aheadMs(): number
  /** By an ID Token that was made for our nonce: it counts for more than a `Date`. */
  learn(aheadMs: number): void
  /** The same transport, learning from the `Date` of its answers (RFC 9110 section 6.6.1), where a page may see that. */
  watch(transport: Transport): Transport
}

/** A device may have lost its clock for months; what is two years off is no clock. */
const MOST_MS = 2 * 365 * 24 * 3_600_000
/** How far a `Date` may be from what an ID Token said. */
const AGREE_MS = 5 * 60_000
const SAMPLES = 5

export function createServerTime(clock: Clock): ServerTime {
  let told: number | undefined
  let samples: number[] = []
  return {
    aheadMs: () => [...samples].sort((a, b) => a - b)[samples.length >> 1] ?? 0,
    learn(aheadMs) {
      told = aheadMs
      samples = [aheadMs]
    },
    watch: transport => async (url, init, isRepeatable) => {
      const answer = await transport(url, init, isRepeatable)
      const ahead = Date.parse(answer.headers.get('date') ?? '') - clock.now()
      const isLikely = Math.abs(ahead) < MOST_MS && !(Math.abs(ahead - (told ?? ahead)) > AGREE_MS)
      if (isLikely) samples = [...samples, ahead].slice(-SAMPLES)
      return answer
    },
  }
}
