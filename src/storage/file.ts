import { randomUUID } from 'node:crypto'
import { constants, lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf, fileTrouble, refuseFile, safeOpenFlags } from '../core/file-trouble.ts'
import type { KeyValue } from '../core/ports.ts'
import { StorageError } from '../errors.ts'

/** More than all sessions of a user need: latchkey did not write a larger file. */
const MOST_BYTES = 32 * 1024 * 1024

/** By the system's error code: what is in the file's place. FreeBSD reports EMLINK for a link. */
const inItsPlace: Readonly<Record<string, string>> = {
  ELOOP: 'is a symbolic link',
  EMLINK: 'is a symbolic link',
  ENXIO: 'is not a regular file',
  EOPNOTSUPP: 'is not a regular file',
  EISDIR: 'is not a regular file',
}

/** Follows a link to a folder only if this user or the system owns it, as kernels do in shared folders. */
async function refuseForeignLink(path: string): Promise<void> {
  const owner = process.getuid?.()
  const folder = dirname(path)
  const stats = await lstat(folder).catch(() => undefined)
  if (owner !== undefined && stats?.isSymbolicLink() && stats.uid !== owner && stats.uid !== 0)
    throw refuseFile(folder, 'is a symbolic link of another user')
}

/** The text of a file that belongs to this user. `undefined` if there is no file. */
async function readOwn(path: string): Promise<string | undefined> {
  try {
    await refuseForeignLink(path)
    const file = await open(path, constants.O_RDONLY | safeOpenFlags(constants))
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

/** Flushes a folder, so that the names in it survive a power cut. */
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

/** Creates a folder and its missing parents, and flushes them. */
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
 * Runs `work` while no other process writes the file. `isMine` returns whether that is still true: another process may have
 * taken over while this one was stopped.
 */
export type Exclusive = <T>(work: (isMine: () => boolean) => Promise<T>) => Promise<T>

type KeyValueUpdate = (key: string, change: (stored: unknown) => unknown) => Promise<boolean>

/**
 * A KeyValue in one private JSON file (mode 0600 in a folder of mode 0700), shared by all processes of a user. A write goes
 * to a temporary file, which is flushed and then renamed: a reader sees the old or the new file, never a part. latchkey
 * refuses a symbolic link, anything else that is not a regular file, and a file of another user.
 *
 * A writer first removes the temporary files of other writers. Those were killed, or stopped while another process took the
 * lock. One that continues finds that it lost the lock or its file, and starts again.
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
      if (!(error instanceof SyntaxError)) throw error // invalid JSON was not written by latchkey: it counts as empty
    }
    return Object.create(null)
  }

  /** Removes leftover temporary files. A folder that cannot be listed, or a file that cannot be removed, is no error. */
  const sweep = async (): Promise<void> => {
    const prefix = `${basename(path)}.`
    for (const name of await readdir(folder).catch(() => [])) {
      if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue
      if (UUID.test(name.slice(prefix.length, -'.tmp'.length)))
        await unlink(join(folder, name)).catch(() => {})
    }
  }

  /** @returns whether the file was written: `false` if this process lost the lock. */
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
      // check after the temporary file exists: a process that takes over later removes that file before it reads
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
      // a process that lost the lock waits for it again, and then reads the newer values
      for (let times = 0; times < MOST_TRIES; times++) {
        await makeFolder(folder)
        if (await tryToUpdate(key, change)) return
      }
      throw overtaken()
    },
    keys: async prefix => Object.keys(await read()).filter(key => key.startsWith(prefix)),
  }
}
