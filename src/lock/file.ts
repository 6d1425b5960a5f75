import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { pause } from '../core/back-off.ts'
import { codeOf, fileTrouble, refuseFile, safeOpenFlags } from '../core/file-trouble.ts'
import { LEASE_MS } from '../core/lock-times.ts'
import type { Clock, Lock } from '../core/ports.ts'
import { LockTimeoutError } from '../errors.ts'
import { createOwners } from './file-owner.ts'
import { localLock } from './local.ts'

/** If creating and naming the lock file takes longer than this, another process may already have taken the lock. */
const TAKING_MS = 200
const POLL_MS = 5
/** A process that has waited for a while polls less often, so that ten waiting processes do not slow down the holder. */
const MOST_POLL_MS = 15
/** Larger than any owner's text. */
const MOST_BYTES = 2048
const HIGHEST = 999_999_999_999_999

interface Taken {
  readonly path: string
  readonly number: number
  readonly text: string
}

export interface FileLock extends Lock {
  /**
   * @param work gets `isMine`, which returns whether this holder still has the lock.
   * @param leaseMs how many milliseconds to wait for a holder that is stopped or not visible from here. Default 14,000.
   */
  run<T>(
    name: string,
    work: (isMine: () => boolean) => Promise<T>,
    waitMs: number,
    leaseMs?: number,
  ): Promise<T>
}

/** The highest number in a folder, and the names of the files that are no longer needed, unfinished releases included. */
function listOf(directory: string): { readonly highest: number; readonly before: readonly string[] } {
  const found = readdirSync(directory).flatMap(name => {
    const [, number] = /^([1-9]\d{0,14})(?:\.[\w-]+\.free)?$/.exec(name) ?? []
    return number ? [{ name, number: Number(number) }] : []
  })
  const highest = found.reduce(
    (most, { name, number }) => (name.includes('.') ? most : Math.max(most, number)),
    0,
  )
  return { highest, before: found.filter(({ number }) => number < highest - 1).map(({ name }) => name) }
}

/** The text of a lock file. `undefined` for anything that latchkey does not create: a link, a folder, a pipe. */
function readLock(path: string): string | undefined {
  let handle: number
  try {
    handle = openSync(path, constants.O_RDONLY | safeOpenFlags(constants))
  } catch (error) {
    if (['ELOOP', 'EMLINK', 'ENXIO', 'EOPNOTSUPP', 'EISDIR'].includes(codeOf(error) ?? '')) return undefined
    throw error
  }
  try {
    if (!fstatSync(handle).isFile()) return undefined
    const bytes = Buffer.alloc(MOST_BYTES)
    return bytes.toString('utf8', 0, readSync(handle, bytes))
  } finally {
    closeSync(handle)
  }
}

/** Recursive only if necessary: on a read-only file system, the recursive call reports just ENOENT. */
const makeFolder = (path: string) => {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') mkdirSync(path, { recursive: true, mode: 0o700 })
    else if (codeOf(error) !== 'EEXIST') throw error // another process was faster
  }
}

const removeIfThere = (path: string) => {
  try {
    unlinkSync(path)
  } catch {} // a leftover file does no harm
}

/** Creates the folder of a lock. Refuses a link, a file or another user's folder in its place. */
const prepare = (folder: string, directory: string) => {
  const user = process.getuid?.()
  for (const path of [folder, directory]) {
    let stats = lstatSync(path, { throwIfNoEntry: false })
    if (!stats) {
      makeFolder(path)
      stats = lstatSync(path)
    }
    if (stats.isSymbolicLink()) throw refuseFile(path, 'is a symbolic link')
    if (!stats.isDirectory()) throw refuseFile(path, 'is not a folder')
    if (user !== undefined && stats.uid !== user) throw refuseFile(path, 'belongs to another user')
  }
}

const create = (path: string, text: string) => {
  const handle = openSync(path, 'wx', 0o600)
  try {
    writeSync(handle, text)
  } catch (error) {
    removeIfThere(path)
    throw error
  } finally {
    closeSync(handle)
  }
}

/** Whether no other process has taken the lock over. */
const isHeld = (directory: string, { path, number, text }: Taken): boolean => {
  try {
    return listOf(directory).highest === number && readLock(path) === text
  } catch {
    return false
  }
}

/** Never throws: the result of the work matters more, and the lease frees the lock. */
const letGo = ({ path, text }: Taken, free: string) => {
  const beside = `${path}.${randomUUID()}.free`
  try {
    if (readLock(path) !== text) return // someone has removed the file or the whole folder
    try {
      // by rename, so that no process reads half of it; if another process has taken over, a higher number exists
      writeFileSync(beside, free, {
        flag: 'wx',
        mode: 0o600,
      })
      renameSync(beside, path)
    } catch {
      removeIfThere(beside)
      // on a full disk: an empty file counts as a lock that its owner never named
      const handle = openSync(path, constants.O_WRONLY | safeOpenFlags(constants))
      try {
        ftruncateSync(handle)
      } finally {
        closeSync(handle)
      }
    }
  } catch {}
}

/**
 * A lock for processes: a folder of numbered files. The file with the highest number is the lock and names its owner.
 * A process acquires the lock when it creates the next number, which only one process can. latchkey removes a file only
 * when a higher one exists, so the numbers only grow: two processes never break the lock of a dead owner together, and a
 * process that acted on an old listing finds a higher number than its own and backs off.
 *
 * The lock of an owner that is known to be dead is free at once. Any other lock is free after this process has watched
 * it for a whole lease without a change. Clocks of different processes are never compared.
 * @param elapsed the milliseconds of a monotonic clock.
 */
export function fileLock(
  folder: string,
  clock: Clock,
  elapsed: () => number = () => performance.now(),
): FileLock {
  const owners = createOwners(elapsed)

  /** @returns the acquired lock, or `undefined`. */
  const take = (directory: string, leaseMs: number): Taken | undefined => {
    const { highest } = listOf(directory)
    if (highest >= HIGHEST) throw refuseFile(join(directory, String(highest)), 'is no lock of latchkey')
    const text = highest ? readLock(join(directory, String(highest))) : undefined
    if (highest && !owners.isFree(directory, highest, text, leaseMs)) return undefined
    const began = elapsed()
    const number = highest + 1
    const path = join(directory, String(number))
    const mine: Taken = { path, number, text: owners.name(randomUUID()) }
    create(path, mine.text)
    const now = listOf(directory)
    if (now.highest !== number) {
      removeIfThere(path)
      return undefined
    }
    if (elapsed() - began > TAKING_MS) {
      letGo(mine, owners.free)
      return undefined
    }
    owners.forget(directory)
    // the previous file stays for processes that are listing the folder right now
    for (const name of now.before) removeIfThere(join(directory, name))
    return mine
  }

  /** One attempt. @returns `undefined` if another process was faster or the folder was missing; then the caller retries. */
  const tryToTake = (directory: string, leaseMs: number): Taken | undefined => {
    try {
      return take(directory, leaseMs)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') prepare(folder, directory)
      else if (codeOf(error) !== 'EEXIST') throw error
      return undefined
    }
  }

  /** Callers in this process take turns, so that only one of them competes with other processes. */
  const turns = localLock(clock)
  const leftAt = new Map<string, number>()

  const runInTurn = async <T>(
    name: string,
    work: (isMine: () => boolean) => Promise<T>,
    giveUpAt: number,
    leaseMs: number,
  ): Promise<T> => {
    const directory = join(folder, encodeURIComponent(name))
    let mine: Taken | undefined
    try {
      // a process that has just released the lock lets other processes try first
      const left = leftAt.get(name)
      if (left !== undefined && elapsed() - left < POLL_MS) await pause(clock, POLL_MS * 1.5)
      prepare(folder, directory)
      mine = tryToTake(directory, leaseMs)
      for (
        let pollMs = POLL_MS;
        !mine && elapsed() < giveUpAt;
        pollMs = Math.min(pollMs + 0.1, MOST_POLL_MS)
      ) {
        await pause(clock, pollMs * (0.5 + Math.random()))
        mine = tryToTake(directory, leaseMs)
      }
    } catch (cause) {
      throw fileTrouble(`The lock "${directory}" could not be taken`, cause)
    }
    if (!mine) throw new LockTimeoutError(`The lock "${directory}" was not free in time. Try again.`)
    const taken = mine
    try {
      return await work(() => isHeld(directory, taken))
    } finally {
      leftAt.set(name, elapsed())
      letGo(taken, owners.free)
    }
  }

  return {
    run: (name, work, waitMs, leaseMs = LEASE_MS) => {
      const giveUpAt = elapsed() + waitMs
      return turns.run(name, () => runInTurn(name, work, giveUpAt, leaseMs), waitMs)
    },
  }
}
