import type { Store } from '../core/ports.ts'
import { silentChannel } from '../refresh/channel.ts'
import { localLock } from '../refresh/lock-local.ts'
import { memoryKeyValue } from '../store/memory.ts'
import { deviceClock } from './device-clock.ts'

/** Tokens in memory: gone on reload. A sign-in by redirect does not survive its way, one in a popup does. */
export const memory = (): Store => ({
  name: 'memory',
  keyValue: memoryKeyValue(),
  lock: localLock(deviceClock),
  channel: silentChannel,
  reach: () => 'page',
})
