import { DurableObject } from 'cloudflare:workers'

/** Entries with versions. What was deleted keeps its version, so that no version comes twice. */
export class Entries extends DurableObject {
  async read(key) {
    const { text, version = 0 } = (await this.ctx.storage.get(key)) ?? {}
    return { text, version }
  }
  async write(key, text, version) {
    const { version: found } = await this.read(key)
    if (found !== version) return false
    await this.ctx.storage.put(key, { text, version: version + 1 })
    return true
  }
  async keys() {
    const entries = await this.ctx.storage.list()
    return [...entries].filter(([, { text }]) => text !== undefined).map(([key]) => key)
  }
}

/** What the store of docs/extending.md needs of its host, in the Durable Object with this name. */
export function hostIn(namespace, name) {
  const entries = namespace.get(namespace.idFromName(name))
  return {
    read: key => entries.read(key),
    write: (key, text, version) => entries.write(key, text, version),
    keys: () => entries.keys(),
  }
}
