import type { Runtime } from '../client.ts'
import { deviceClock } from './device-clock.ts'
import { sha256 } from './digest.ts'

/** What every environment has of its own, and what is looked up anew at each use. */
export const device: Pick<Runtime, 'fetch' | 'clock' | 'hash'> = {
  fetch: (input, init) => globalThis.fetch(input, init),
  clock: deviceClock,
  hash: sha256,
}
