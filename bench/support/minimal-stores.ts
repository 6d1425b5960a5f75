/** What stands in for IndexedDB and Web Locks where the minimal client runs on Node. */
import { open, readFile, rename } from 'node:fs/promises'
import type { MinimalOptions } from '../minimal-client.ts'

type MinimalStore = NonNullable<MinimalOptions['store']>

/** One after the other, within this process. */
export function queue(): NonNullable<MinimalOptions['exclusive']> {
  let last: Promise<unknown> = Promise.resolve()
  return work => {
    const next = last.then(work)
    last = next.catch(() => {})
    return next
  }
}

/** One private JSON file, flushed before it takes the old one's place. */
export function fileStore(path: string): MinimalStore {
  const read = async () => JSON.parse(await readFile(path, 'utf8').catch(() => '{}'))
  return {
    get: async key => (await read())[key],
    async set(key, value) {
      const text = JSON.stringify({ ...(await read()), [key]: value })
      const beside = await open(`${path}.new`, 'w', 0o600)
      try {
        await beside.writeFile(text)
        await beside.sync()
      } finally {
        await beside.close()
      }
      await rename(`${path}.new`, path)
    },
  }
}
