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
import { carefully, codeOf, fileTrouble, refuseFile } from '../core/file-trouble.ts'
import type { Clock, Lock } from '../core/ports.ts'
import { LEASE_MS, pause } from '../core/waiting.ts'
import { LockTimeoutError } from '../errors.ts'
import { createOwners } from './file-owner.ts'
import { localLock } from './local.ts'

/** A process that took longer to create and name its lock file may have been overtaken meanwhile. */
const TAKING_MS = 200
const POLL_MS = 5
/** Who has waited for a while looks less often: ten who wait must not slow down the one they wait for. */
const MOST_POLL_MS = 15
/** More than the name of any owner. */
const MOST_BYTES = 2048
const HIGHEST = 999_999_999_999_999

interface Taken {
  readonly path: string
  readonly number: number
  readonly text: string
}

export interface FileLock extends Lock {
  /**
   * @param work is handed `isMine`, which tells whether nobody has overtaken this holder yet.
   * @param leaseMs how long a holder is waited for that is stopped, or that cannot be seen from here. Default 14 s.
   */
  run<T>(
    name: string,
    work: (isMine: () => boolean) => Promise<T>,
    waitMs: number,
    leaseMs?: number,
  ): Promise<T>
}

/** The numbered names of a folder, and those of files that were left beside them. */
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

/** The text of a lock file; undefined where it is nothing that is made here: a link, a folder, a pipe. */
function readLock(path: string): string | undefined {
  let handle: number
  try {
    handle = openSync(path, constants.O_RDONLY | carefully(constants))
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

/** Recursive only where it has to be: of a read-only file system, that says no more than ENOENT. */
const makeFolder = (path: string) => {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') mkdirSync(path, { recursive: true, mode: 0o700 })
    else if (codeOf(error) !== 'EEXIST') throw error // somebody was faster
  }
}

const removeIfThere = (path: string) => {
  try {
    unlinkSync(path)
  } catch {} // it is in nobody's way
}

/** Makes the folder of a lock, and refuses what somebody else put in its place. */
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

/** Whether nobody has taken it over. */
const isHeld = (directory: string, { path, number, text }: Taken): boolean => {
  try {
    return listOf(directory).highest === number && readLock(path) === text
  } catch {
    return false
  }
}

/** Never throws: what the work came to counts, and the lock ends by its lease. */
const letGo = ({ path, text }: Taken, free: string) => {
  const beside = `${path}.${randomUUID()}.free`
  try {
    if (readLock(path) !== text) return // somebody has removed it, or the whole folder
    try {
      // by rename, so that nobody reads half of it; where the lock was overtaken meanwhile, a higher number stands
      writeFileSync(beside, free, {
        flag: 'wx',
        mode: 0o600,
      })
      renameSync(beside, path)
    } catch {
      removeIfThere(beside)
      // on a full disk: as a lock that was never named
      const handle = openSync(path, constants.O_WRONLY | carefully(constants))
      try {
        ftruncateSync(handle)
      } finally {
        closeSync(handle)
      }
    }
  } catch {}
}

/**
 * Lock among processes: a folder of numbered files, of which the highest is the lock and names its owner. To take it
 * is to create the next number, which only one can. A file stays until a higher one is there, so numbers only grow:
 * the lock of a dead owner is never broken by two at once, and who acted on an old listing finds a higher number than
 * its own and steps back.
 *
 * The lock of an owner that is known to be dead is free at once. Every other one is free when this process has watched
 * it unchanged for a whole lease: no clock is compared with another's.
 * @param elapsed milliseconds by a clock that nobody can set.
 */
export function fileLock(
  folder: string,
  clock: Clock,
  elapsed: () => number = () => performance.now(),
): FileLock {
  const owners = createOwners(elapsed)

  /** @returns the lock that is now ours, or undefined. */
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
    // one generation is left behind for those who are listing the folder right now
    for (const name of now.before) removeIfThere(join(directory, name))
    return mine
  }

  /** One look at the lock. Where somebody was faster, or the folder was removed, there will be another. */
  const tryToTake = (directory: string, leaseMs: number): Taken | undefined => {
    try {
      return take(directory, leaseMs)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') prepare(folder, directory)
      else if (codeOf(error) !== 'EEXIST') throw error
      return undefined
    }
  }

  /** Callers of this process take turns; only the first of them stands in line with other processes. */
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
      // who has just let go lets other processes look first
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
