import { randomUUID } from 'node:crypto'
import { constants, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { KeyValue } from '../core/ports.ts'
import { StorageError } from '../errors.ts'

const refuse = (path: string, why: string) =>
  new StorageError(
    `${path} ${why}: no tokens are read from it or written to it. Remove it, or name another file.`,
  )

/** The text of a file that nobody else has put there. */
async function readOwn(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)) // Windows has neither this nor owners
  try {
    const owner = process.getuid?.()
    if (owner !== undefined && (await file.stat()).uid !== owner)
      throw refuse(path, 'belongs to another user')
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** Runs `work` while no other process writes the file. */
export type Exclusive = <T>(work: () => Promise<T>) => Promise<T>

/**
 * KeyValue in one private JSON file (mode 0600 in a folder of mode 0700), shared by all processes of a user. A write
 * goes to a file beside it, is flushed and takes its place by rename: a reader sees the old or the new, never a part. A
 * symbolic link and a file of another user are refused.
 */
export function fileKeyValue(path: string, exclusive: Exclusive): KeyValue {
  const read = async (): Promise<Record<string, unknown>> => {
    let text: string
    try {
      text = await readOwn(path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return Object.create(null)
      // FreeBSD says EMLINK
      if (code === 'ELOOP' || code === 'EMLINK') throw refuse(path, 'is a symbolic link')
      throw error
    }
    try {
      const stored: unknown = JSON.parse(text)
      if (typeof stored === 'object' && stored && !Array.isArray(stored)) {
        return Object.assign(Object.create(null), stored)
      }
    } catch {} // damaged by someone else: as good as nothing
    return Object.create(null)
  }

  const write = async (entries: Record<string, unknown>): Promise<void> => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const beside = `${path}.${randomUUID()}.tmp`
    try {
      const file = await open(beside, 'wx', 0o600)
      try {
        await file.writeFile(JSON.stringify(entries, undefined, 2))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(beside, path)
    } catch (error) {
      await rm(beside, { force: true })
      throw error
    }
  }

  return {
    get: async key => (await read())[key],
    update: (key, change) =>
      exclusive(async () => {
        const entries = await read()
        const next = change(entries[key])
        if (next === entries[key]) return
        if (next === undefined) delete entries[key]
        else entries[key] = next
        await write(entries)
      }),
    keys: async prefix => Object.keys(await read()).filter(key => key.startsWith(prefix)),
  }
}
