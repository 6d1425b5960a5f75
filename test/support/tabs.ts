import type { Channel, Clock, KeyValue, Lock, News, Store } from '../../src/core/ports.ts'
import { localLock } from '../../src/lock/local.ts'
import { memoryKeyValue } from '../../src/storage/memory.ts'

/** News between several clients in one process. */
export function createHub(): (name: string) => Channel {
  const rooms = new Map<string, Set<(news: News) => void>>()
  return name => {
    const room = rooms.get(name) ?? new Set()
    rooms.set(name, room)
    const own = new Set<(news: News) => void>()
    let open = true
    return {
      post(news) {
        const others = [...room].filter(hear => open && !own.has(hear))
        for (const hear of others) queueMicrotask(() => room.has(hear) && hear({ ...news }))
      },
      listen(listener) {
        const hear = (news: News) => listener(news)
        own.add(hear)
        room.add(hear)
        return () => void (room.delete(hear) && own.delete(hear))
      },
      close() {
        open = false
        for (const hear of own) room.delete(hear)
      },
    }
  }
}

/** A store in memory that several clients may share, as tabs share one; each part may be another. */
export function sharedStore(
  clock: Clock,
  parts: { keyValue?: KeyValue; lock?: Lock; channel?: (name: string) => Channel } = {},
): Store {
  return {
    name: 'shared memory',
    keyValue: parts.keyValue ?? memoryKeyValue(),
    lock: parts.lock ?? localLock(clock),
    channel: parts.channel ?? createHub(),
  }
}
