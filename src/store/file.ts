import { randomUUID } from 'node:crypto'
import { closeSync, constants, fsync, lstatSync, mkdirSync, openSync, readdirSync, unlinkSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { KeyValue } from '../core/ports.ts'
import { LatchkeyError, StorageError } from '../errors.ts'

/** More than all tokens of one client take. */
const MOST_BYTES = 16 * 2 ** 20

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? ''

const refuse = (path: string, why: string) =>
  new StorageError(
    `${path} ${why}: no tokens are read from it or written to it. Remove it, or name another file.`,
  )

/** What opening something fails with that is no file, and what it is. FreeBSD says EMLINK. */
const OTHERS: Readonly<Record<string, string>> = {
  ELOOP: 'is a symbolic link',
  EMLINK: 'is a symbolic link',
  EISDIR: 'is not a regular file',
  ENXIO: 'is not a regular file',
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'it would be larger than this process may write',
  EROFS: 'the file system is read-only',
  EACCES: 'this user has no permission',
  EPERM: 'this user has no permission',
  ENOTDIR: 'its folder is not a folder',
  EMFILE: 'this process has too many open files',
  ENFILE: 'the system has too many open files',
}

/** Runs `work`; what the system fails with says what to look at. */
async function named<T>(path: string, what: 'read' | 'written', work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof LatchkeyError) throw cause
    const why = CAUSES[codeOf(cause)] ?? (codeOf(cause) || 'for a reason that is in "cause"')
    throw new StorageError(`${path} could not be ${what}: ${why}. The tokens in it stay as they are.`, {
      cause,
    })
  }
}

/** As the kernel does in shared folders: a link is followed only where it is this user's own, or the system's. */
function refuseForeignLink(path: string): void {
  const owner = process.getuid?.()
  const folder = dirname(path)
  const found = lstatSync(folder, { throwIfNoEntry: false })
  if (owner !== undefined && found?.isSymbolicLink() && found.uid !== owner && found.uid !== 0)
    throw refuse(folder, 'is a symbolic link of another user')
}

/** The text of a file that nobody else has put there. */
async function readOwn(path: string): Promise<string> {
  refuseForeignLink(path)
  // a pipe in its place is not waited for; Windows has neither of these, nor owners
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  const file = await open(path, flags)
  try {
    const owner = process.getuid?.()
    const found = await file.stat()
    if (owner !== undefined && found.uid !== owner) throw refuse(path, 'belongs to another user')
    if (!found.isFile()) throw refuse(path, 'is not a regular file')
    if (found.size > MOST_BYTES) throw refuse(path, `is larger than ${MOST_BYTES} bytes`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** Makes the names in a folder outlast a power cut. */
async function flush(folder: string): Promise<void> {
  try {
    const handle = openSync(folder, constants.O_RDONLY)
    try {
      await promisify(fsync)(handle)
    } finally {
      closeSync(handle)
    }
  } catch (error) {
    // where a folder cannot be opened, as on Windows, or not be flushed, the system sees to it
    if (!/^(EISDIR|EPERM|EACCES|EINVAL|ENOTSUP|EOPNOTSUPP|EBADF|ENOSYS)$/.test(codeOf(error))) throw error
  }
}

/** Removes a file where that can be done. */
function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {}
}

/** Runs `work` while no other process writes the file. It may ask whether that is still so: it was frozen for long. */
export type Exclusive = <T>(work: (isMine: () => boolean) => Promise<T>) => Promise<T>

/** What follows the file's name while a write is under way. */
const TEMPORARY = /^[\da-f-]{36}\.tmp$/

/** So many times a write begins anew that was overtaken. */
const MOST_TRIES = 3

/**
 * KeyValue in one private JSON file (mode 0600 in a folder of mode 0700), shared by all processes of a user. A write
 * goes to a file beside it, is flushed and takes its place by rename: a reader sees the old or the new, never a part. A
 * symbolic link, a file of another user and what is no regular file are refused.
 */
export function fileKeyValue(path: string, exclusive: Exclusive): KeyValue {
  const folder = dirname(path)

  const read = (): Promise<Record<string, unknown>> =>
    named(path, 'read', async () => {
      let text: string
      try {
        text = await readOwn(path)
      } catch (error) {
        const other = OTHERS[codeOf(error)]
        if (other) throw refuse(path, other)
        if (codeOf(error) === 'ENOENT') return Object.create(null)
        throw error
      }
      try {
        const stored: unknown = JSON.parse(text)
        if (typeof stored === 'object' && stored && !Array.isArray(stored)) {
          return Object.assign(Object.create(null), stored)
        }
      } catch {} // damaged by someone else: as good as nothing
      return Object.create(null)
    })

  /**
   * Removes what writers have left that were killed. One that is only frozen, and was overtaken, finds its file gone when
   * it goes on, and puts nothing old in the place of what is newer.
   */
  const sweep = () => {
    const begin = `${basename(path)}.`
    try {
      for (const name of readdirSync(folder)) {
        if (name.startsWith(begin) && TEMPORARY.test(name.slice(begin.length))) remove(join(folder, name))
      }
    } catch {} // there is no folder yet, or what is left cannot be seen
  }

  const makeFolder = async () => {
    const first = mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (let made = folder; first && made.length >= first.length; made = dirname(made)) {
      await flush(dirname(made))
    }
  }

  /** @returns whether it was written: not by who was overtaken. */
  const write = async (entries: Record<string, unknown>, isMine: () => boolean): Promise<boolean> => {
    await makeFolder()
    refuseForeignLink(path)
    const beside = `${path}.${randomUUID()}.tmp`
    try {
      const file = await open(beside, 'wx', 0o600)
      try {
        await file.writeFile(JSON.stringify(entries, undefined, 2))
        await file.sync()
      } finally {
        await file.close()
      }
      if (!isMine()) {
        remove(beside)
        return false
      }
      await rename(beside, path)
    } catch (error) {
      remove(beside)
      if (codeOf(error) === 'ENOENT' && !isMine()) return false // swept by who has overtaken this
      throw error
    }
    await flush(folder)
    return true
  }

  return {
    get: async key => (await read())[key],
    async update(key, change) {
      for (let left = MOST_TRIES; left > 0; left--) {
        const isDone = await exclusive(async isMine => {
          sweep()
          const entries = await read()
          const next = change(entries[key])
          if (next === entries[key]) return true
          if (next === undefined) delete entries[key]
          else entries[key] = next
          return named(path, 'written', () => write(entries, isMine))
        })
        if (isDone) return
      }
      throw new StorageError(`${path} was written by other processes again and again. Try again.`)
    },
    keys: async prefix => Object.keys(await read()).filter(key => key.startsWith(prefix)),
  }
}
