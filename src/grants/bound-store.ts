import type { KeyValue, Lock, Store } from '../core/ports.ts'
import { once } from '../core/waiting.ts'

/**
 * Wraps a store so that every key and lock name begins with a digest of the token request. Clients that request other tokens
 * neither find these tokens nor wait for their lock, and the names reveal no secret.
 * @param about the values that identify the token request. They must be serializable as JSON.
 */
export function boundStore(store: Store, hash: (text: string) => Promise<string>, about: unknown): Store {
  const digest = once(async () => (await hash(JSON.stringify(about))).slice(0, 32))
  const named = async (name: string) => `${await digest()} ${name}`
  const { keyValue, lock } = store
  const bound: KeyValue = {
    get: async key => keyValue.get(await named(key)),
    update: async (key, change) => keyValue.update(await named(key), change),
    async keys(prefix) {
      const skipped = (await named('')).length
      return (await keyValue.keys(await named(prefix))).map(key => key.slice(skipped))
    },
  }
  const { isHeld } = lock
  const boundLock: Lock = {
    run: async (name, work, waitMs) => lock.run(await named(name), work, waitMs),
    ...(isHeld && { isHeld: async name => isHeld(await named(name)) }),
  }
  return {
    name: store.name,
    keyValue: bound,
    lock: boundLock,
    channel: name => store.channel(name),
    reach: () => store.reach?.() ?? 'device',
    onDegraded: tell => store.onDegraded?.(tell),
    close: () => store.close?.(),
  }
}
