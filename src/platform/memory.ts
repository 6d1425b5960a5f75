import type { Store } from '../core/ports.ts'
import { localLock } from '../lock/local.ts'
import { silentChannel } from '../storage/channel.ts'
import { memoryKeyValue } from '../storage/memory.ts'
import { deviceClock } from './device.ts'

/** Tokens in memory: gone on reload. A sign-in by redirect does not survive its way, one in a popup does. */
export const memory = (): Store => ({
  name: 'memory',
  keyValue: memoryKeyValue(),
  lock: localLock(deviceClock),
  channel: silentChannel,
  reach: () => 'page',
})
