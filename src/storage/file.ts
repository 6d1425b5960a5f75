import { randomUUID } from 'node:crypto'
import { constants, lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { carefully, codeOf, fileTrouble, refuseFile } from '../core/file-trouble.ts'
import type { KeyValue } from '../core/ports.ts'
import { StorageError } from '../errors.ts'

/** More than all sessions of a user: a file that is larger is not ours. */
const MOST_BYTES = 32 * 1024 * 1024

/** By the code of the system's error: what stands in the file's place. FreeBSD says EMLINK of a link. */
const inItsPlace: Readonly<Record<string, string>> = {
  ELOOP: 'is a symbolic link',
  EMLINK: 'is a symbolic link',
  ENXIO: 'is not a regular file',
  EOPNOTSUPP: 'is not a regular file',
  EISDIR: 'is not a regular file',
}

/** As kernels do in shared folders: a link to a folder is followed only where it is this user's own, or the system's. */
async function refuseForeignLink(path: string): Promise<void> {
  const owner = process.getuid?.()
  const folder = dirname(path)
  const stats = await lstat(folder).catch(() => undefined)
  if (owner !== undefined && stats?.isSymbolicLink() && stats.uid !== owner && stats.uid !== 0)
    throw refuseFile(folder, 'is a symbolic link of another user')
}

/** The text of a file that nobody else has put there; undefined where there is none. */
async function readOwn(path: string): Promise<string | undefined> {
  try {
    await refuseForeignLink(path)
    const file = await open(path, constants.O_RDONLY | carefully(constants))
    try {
      const stats = await file.stat()
      const owner = process.getuid?.()
      if (!stats.isFile()) throw refuseFile(path, 'is not a regular file')
      if (owner !== undefined && stats.uid !== owner) throw refuseFile(path, 'belongs to another user')
      if (stats.size > MOST_BYTES) throw refuseFile(path, 'is too large to be of latchkey')
      return await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (code === 'ENOENT') return undefined
    const other = inItsPlace[code]
    throw other ? refuseFile(path, other) : fileTrouble(`${path} could not be read`, error)
  }
}

/** Some file systems cannot flush a folder, and Windows cannot open one. */
const NOT_SUPPORTED = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EBADF', 'EISDIR', 'EPERM', 'EACCES']

/** Makes the names in a folder outlast a power cut. */
async function flushFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, constants.O_RDONLY)
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  } catch (error) {
    if (!NOT_SUPPORTED.includes(codeOf(error) ?? '')) throw error
  }
}

/** Makes a folder that lasts, and those it is in. */
async function makeFolder(path: string): Promise<void> {
  try {
    const first = await mkdir(path, { recursive: true, mode: 0o700 })
    if (first === undefined) return
    for (let made = path; made.length >= first.length; made = dirname(made)) await flushFolder(dirname(made))
  } catch (error) {
    throw fileTrouble(`${path} could not be made`, error)
  }
}

const MOST_TRIES = 3

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

/**
 * Runs `work` while no other process writes the file. `isMine` tells whether that still holds: a process that was stopped
 * may have been overtaken.
 */
export type Exclusive = <T>(work: (isMine: () => boolean) => Promise<T>) => Promise<T>

type KeyValueUpdate = (key: string, change: (stored: unknown) => unknown) => Promise<boolean>

/**
 * KeyValue in one private JSON file (mode 0600 in a folder of mode 0700), shared by all processes of a user. A write
 * goes to a file beside it, is flushed and takes its place by rename: a reader sees the old or the new, never a part. A
 * symbolic link, whatever is no regular file, and a file of another user are refused.
 *
 * A writer first removes what other writers have left beside the file. They were killed, or stopped and overtaken: one
 * that goes on finds the lock lost, or its file gone, and begins again.
 */
export function fileKeyValue(path: string, exclusive: Exclusive): KeyValue {
  const folder = dirname(path)
  const overtaken = () =>
    new StorageError(
      `${path} was not written: this process lost the lock meanwhile, because it was stopped or the lock was removed. Try again.`,
    )

  const read = async (): Promise<Record<string, unknown>> => {
    try {
      const stored: unknown = JSON.parse((await readOwn(path)) ?? '')
      if (typeof stored === 'object' && stored && !Array.isArray(stored)) {
        return Object.assign(Object.create(null), stored)
      }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error // damaged by someone else: as good as nothing
    }
    return Object.create(null)
  }

  /** A folder that may be written but not listed, and what cannot be removed, keep nobody from writing. */
  const sweep = async (): Promise<void> => {
    const prefix = `${basename(path)}.`
    for (const name of await readdir(folder).catch(() => [])) {
      if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue
      if (UUID.test(name.slice(prefix.length, -'.tmp'.length)))
        await unlink(join(folder, name)).catch(() => {})
    }
  }

  /** @returns whether it was written: not by one that lost the lock meanwhile. */
  const write = async (entries: Record<string, unknown>, isMine: () => boolean): Promise<boolean> => {
    const beside = `${path}.${randomUUID()}.tmp`
    try {
      const file = await open(beside, 'wx', 0o600)
      try {
        await file.writeFile(JSON.stringify(entries, undefined, 2))
        await file.sync()
      } finally {
        await file.close()
      }
      // asked when the file beside is there: whoever takes over afterwards removes it before it reads
      if (isMine()) {
        await rename(beside, path)
        await flushFolder(folder)
        return true
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || isMine()) {
        await unlink(beside).catch(() => {})
        throw fileTrouble(`${path} could not be written`, error)
      }
    }
    await unlink(beside).catch(() => {})
    return false
  }

  const tryToUpdate: KeyValueUpdate = (key, change) =>
    exclusive(async isMine => {
      await sweep()
      const entries = await read()
      const next = change(entries[key])
      if (next === entries[key]) return true
      if (next === undefined) delete entries[key]
      else entries[key] = next
      return write(entries, isMine)
    })

  return {
    get: async key => (await read())[key],
    async update(key, change) {
      await refuseForeignLink(path)
      // who lost the lock stands in line again, and finds what was written since
      for (let times = 0; times < MOST_TRIES; times++) {
        await makeFolder(folder)
        if (await tryToUpdate(key, change)) return
      }
      throw overtaken()
    },
    keys: async prefix => Object.keys(await read()).filter(key => key.startsWith(prefix)),
  }
}
