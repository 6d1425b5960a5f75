import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { pause } from '../core/back-off.ts'
import { codeOf, fileTrouble, refuseFile } from '../core/file-trouble.ts'
import { LEASE_MS } from '../core/lock-times.ts'
import type { Clock, Lock } from '../core/ports.ts'
import { LockTimeoutError } from '../errors.ts'
import { createOwners, type Processes } from './file-owner.ts'
import { localLock } from './local.ts'
import { type LockFolder, lockFolder } from './lock-folder.ts'

/** If creating and naming the lock file takes longer than this, another process may already have taken the lock. */
const TAKING_MS = 200
const POLL_MS = 5
/** A process that has waited for a while polls less often, so that ten waiting processes do not slow down the holder. */
const MOST_POLL_MS = 15
const HIGHEST = 999_999_999_999_999

interface Taken {
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

/** What a file lock needs of its system. */
export interface FileLockSystem {
  /** The folder of one lock. */
  open(name: string): LockFolder
  /** Default: those of this system. */
  readonly processes?: Processes
  /** From 0 to 1. */
  random(): number
}

/** Whether no other process has taken the lock over. */
const isHeld = (folder: LockFolder, { number, text }: Taken): boolean => {
  try {
    return folder.list().highest === number && folder.read(number) === text
  } catch {
    return false
  }
}

/** Never throws: the result of the work matters more, and the lease frees the lock. */
const letGo = (folder: LockFolder, { number, text }: Taken, free: string) => {
  try {
    if (folder.read(number) !== text) return // someone has removed the file or the whole folder
    folder.rewrite(number, free) // if another process has taken over, a higher number exists
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
  system: FileLockSystem = { open: name => lockFolder(folder, name), random: Math.random },
): FileLock {
  const owners = createOwners(elapsed, system.processes)

  /** @returns the acquired lock, or `undefined`. */
  const take = (directory: LockFolder, leaseMs: number): Taken | undefined => {
    const { path } = directory
    const { highest } = directory.list()
    if (highest >= HIGHEST) throw refuseFile(join(path, String(highest)), 'is no lock of latchkey')
    const text = highest ? directory.read(highest) : undefined
    if (highest && !owners.isFree(path, highest, text, leaseMs)) return undefined
    const began = elapsed()
    const mine: Taken = { number: highest + 1, text: owners.name(randomUUID()) }
    directory.create(mine.number, mine.text)
    const now = directory.list()
    if (now.highest !== mine.number) {
      directory.remove(String(mine.number))
      return undefined
    }
    if (elapsed() - began > TAKING_MS) {
      letGo(directory, mine, owners.free)
      return undefined
    }
    owners.forget(path)
    // the previous file stays for processes that are listing the folder right now
    for (const name of now.before) directory.remove(name)
    return mine
  }

  /** One attempt. @returns `undefined` if another process was faster or the folder was missing; then the caller retries. */
  const tryToTake = (directory: LockFolder, leaseMs: number): Taken | undefined => {
    try {
      return take(directory, leaseMs)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') directory.prepare()
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
    const directory = system.open(name)
    let mine: Taken | undefined
    try {
      // a process that has just released the lock lets other processes try first
      const left = leftAt.get(name)
      if (left !== undefined && elapsed() - left < POLL_MS) await pause(clock, POLL_MS * 1.5)
      directory.prepare()
      mine = tryToTake(directory, leaseMs)
      for (
        let pollMs = POLL_MS;
        !mine && elapsed() < giveUpAt;
        pollMs = Math.min(pollMs + 0.1, MOST_POLL_MS)
      ) {
        await pause(clock, pollMs * (0.5 + system.random()))
        mine = tryToTake(directory, leaseMs)
      }
    } catch (cause) {
      throw fileTrouble(`The lock "${directory.path}" could not be taken`, cause)
    }
    if (!mine) throw new LockTimeoutError(`The lock "${directory.path}" was not free in time. Try again.`)
    const taken = mine
    try {
      return await work(() => isHeld(directory, taken))
    } finally {
      leftAt.set(name, elapsed())
      letGo(directory, taken, owners.free)
    }
  }

  return {
    run: (name, work, waitMs, leaseMs = LEASE_MS) => {
      const giveUpAt = elapsed() + waitMs
      return turns.run(name, () => runInTurn(name, work, giveUpAt, leaseMs), waitMs)
    },
  }
}
