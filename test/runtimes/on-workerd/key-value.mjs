// Stands in for test/support/key-value.ts: the entries of every store are in a Durable Object of its own.
import { env } from 'cloudflare:workers'
import { hostIn } from './entries.mjs'
import { hostStore } from './host-store.ts'
import { counted } from './turns.mjs'

export function keyValue() {
  const { read, write, keys } = hostIn(env.ENTRIES, crypto.randomUUID())
  const host = {
    read: key => counted(read(key)),
    write: (key, text, version) => counted(write(key, text, version)),
    keys: () => counted(keys()),
  }
  return hostStore(host).keyValue
}
