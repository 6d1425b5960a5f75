import type { Store } from '../core/ports.ts'
import { localLock } from '../lock/local.ts'
import { localChannels } from '../storage/channel.ts'
import { memoryKeyValue } from '../storage/memory.ts'
import { deviceClock } from './device.ts'

/** Keeps tokens in memory: a reload loses them. A sign-in with `redirect()` does not survive the redirect; use `popup()`. */
export const memory = (): Store => ({
  name: 'memory',
  keyValue: memoryKeyValue(),
  lock: localLock(deviceClock),
  channel: localChannels(),
  reach: () => 'page',
})
