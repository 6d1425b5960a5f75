import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Clock, Lock } from '../core/ports.ts'
import { pause } from '../core/time-limit.ts'
import { LockTimeoutError, StorageError } from '../errors.ts'
import { localLock } from './lock-local.ts'

/** A holder works for 12 s at most; a lock that is older belongs to a frozen one, or to one on another machine. */
const STALE_MS = 14_000
/** How long a lock file may be without its owner's name: from its creation until the next line of the same code. */
const UNNAMED_MS = 500
const POLL_MS = 5

interface Owner {
  readonly pid: number
  /** Tells the owner from a later process that got the same number. */
  readonly startTime: string | undefined
  readonly host: string
  /** Set when the owner has let go. */
  readonly free?: true
}

/** When a process started, in the kernel's ticks; undefined where the system does not tell. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before it may hold spaces
    return state === 'Z' ? 'dead' : fields[18]
  } catch {
    return undefined
  }
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const numbersIn = (directory: string): number[] =>
  readdirSync(directory)
    .filter(name => /^\d+$/.test(name))
    .map(Number)

/**
 * Lock among processes: a folder of numbered files, of which the highest is the lock and names its owner. To take it
 * is to create the next number, which only one can. A file stays until a higher one is there, so numbers only grow:
 * the lock of a dead owner is never broken by two at once, and who acted on an old listing finds a higher number than
 * its own and steps back.
 */
export function fileLock(folder: string, clock: Clock): Lock {
  const me: Owner = { pid: process.pid, startTime: startTimeOf(process.pid), host: hostname() }

  const isFree = (path: string): boolean => {
    // either way round: a clock that was set back must not make a lock immortal
    const ageMs = Math.abs(clock.now() - statSync(path).mtimeMs)
    let owner: Owner
    try {
      owner = JSON.parse(readFileSync(path, 'utf8'))
    } catch (error) {
      if (error instanceof SyntaxError) return ageMs > UNNAMED_MS
      throw error
    }
    if (owner.free || ageMs > STALE_MS) return true
    if (owner.host !== me.host) return false
    if (!isRunning(owner.pid)) return true
    const startTime = startTimeOf(owner.pid)
    return startTime !== undefined && owner.startTime !== undefined && startTime !== owner.startTime
  }

  /** @returns the path of the lock that is now ours, or undefined. */
  const take = (directory: string): string | undefined => {
    const pathOf = (number: number) => join(directory, String(number))
    const highest = Math.max(0, ...numbersIn(directory))
    const next = highest + 1
    try {
      if (highest && !isFree(pathOf(highest))) return undefined
      writeFileSync(pathOf(next), JSON.stringify(me), { flag: 'wx', mode: 0o600 })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST' || code === 'ENOENT') return undefined // somebody was faster: look again
      throw error
    }
    const numbers = numbersIn(directory)
    if (Math.max(...numbers) > next) {
      rmSync(pathOf(next), { force: true })
      return undefined
    }
    // one generation is left behind for those who are listing the folder right now
    for (const number of numbers) if (number < highest) rmSync(pathOf(number), { force: true })
    return pathOf(next)
  }

  const letGo = (path: string) => {
    try {
      // by rename, so that nobody reads half of it; where the lock was overtaken meanwhile, a higher number stands
      const beside = `${path}.${me.pid}.free`
      writeFileSync(beside, JSON.stringify({ ...me, free: true } satisfies Owner), { mode: 0o600 })
      renameSync(beside, path)
    } catch {
      utimesSync(path, 0, 0) // on a full disk: as if it had ended by its age
    }
  }

  /** Callers of this process take turns; only the first of them stands in line with other processes. */
  const turns = localLock(clock)
  const leftAt = new Map<string, number>()

  const runInTurn = async <T>(name: string, work: () => Promise<T>, giveUpAt: number): Promise<T> => {
    const directory = join(folder, encodeURIComponent(name))
    let mine: string | undefined
    try {
      // who has just let go lets other processes look first
      if (clock.now() - (leftAt.get(name) ?? 0) < POLL_MS) await pause(clock, POLL_MS * 1.5)
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      for (mine = take(directory); mine === undefined && clock.now() < giveUpAt; mine = take(directory)) {
        await pause(clock, POLL_MS * (0.5 + Math.random()))
      }
    } catch (cause) {
      throw new StorageError(
        `The lock "${directory}" could not be taken. Check that its folder may be written.`,
        { cause },
      )
    }
    if (mine === undefined)
      throw new LockTimeoutError(`The lock "${directory}" was not free in time. Try again.`)
    try {
      return await work()
    } finally {
      leftAt.set(name, clock.now())
      letGo(mine)
    }
  }

  return {
    run: (name, work, waitMs) => {
      const giveUpAt = clock.now() + waitMs
      return turns.run(name, () => runInTurn(name, work, giveUpAt), waitMs)
    },
  }
}
