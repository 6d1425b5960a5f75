import type { Channel, Clock, KeyValue, Lock, Store } from '../../src/core/ports.ts'
import { localLock } from '../../src/lock/local.ts'
import { localChannels } from '../../src/storage/channel.ts'
import { keyValue } from './key-value.ts'

/** A store in memory that several clients can share, as tabs do. Each part can be replaced. */
export function sharedStore(
  clock: Clock,
  parts: { keyValue?: KeyValue; lock?: Lock; channel?: (name: string) => Channel } = {},
): Store {
  return {
    name: 'shared memory',
    keyValue: parts.keyValue ?? keyValue(),
    lock: parts.lock ?? localLock(clock),
    channel: parts.channel ?? localChannels(),
  }
}
