import type { Runtime } from '../client.ts'
import type { Fetch } from '../core/ports.ts'
import { deviceClock } from './device.ts'
import { sha256 } from './digest.ts'

/** What every environment has of its own. */
export const device: Pick<Runtime, 'fetch' | 'clock' | 'hash'> = {
  /** The one that is there when a client is created: `globalThis.fetch` may become that client's own. */
  get fetch(): Fetch {
    const known = globalThis.fetch
    return (...args) => (known ?? globalThis.fetch)(...args)
  },
  clock: deviceClock,
  hash: sha256,
}
