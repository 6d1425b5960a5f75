import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Clock, Lock } from '../core/ports.ts'
import { pause } from '../core/time-limit.ts'
import { LockTimeoutError, StorageError } from '../errors.ts'
import { localLock } from './lock-local.ts'
import { lifeOf, type Owner, thisProcess } from './lock-owner.ts'

/** A holder works for 12 s at most: one that was watched for longer is frozen, or died where nobody here can see it. */
const STALE_MS = 14_000
const POLL_MS = 5
/** Who has only so long left to wait looks more often, and so comes before those who have just begun to. */
const URGENT_MS = 1000
/** More than any owner's name takes. */
const MOST_BYTES = 4096

export interface FileLockOptions {
  /** How long a holder is watched before it is overtaken, in milliseconds. Default 14 s. */
  staleMs?: number
  /** Milliseconds by a clock that nobody sets. Default: the process's own. */
  elapsed?: () => number
}

/** Lock among processes, whose holder can ask whether it was overtaken: by who watched it for longer than it may hold. */
export interface FileLock extends Lock {
  run<T>(name: string, work: (isMine: () => boolean) => Promise<T>, waitMs: number): Promise<T>
}

/** What is in a lock file. */
interface Found {
  /** Changes when somebody else takes the lock, and when its owner lets go. */
  readonly id: string
  /** Undefined where the file is damaged. */
  readonly owner: Owner | undefined
  readonly isFree: boolean
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? ''

/** What opening a file fails with that is no lock file: a folder, a link, a socket, one that others may not read. */
const IS_DAMAGED = /^(EISDIR|ELOOP|EMLINK|ENXIO|EACCES|EPERM|ENODEV)$/
// Windows has neither
const NO_LINK_NO_WAIT = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

function parseOwner(text: string): (Owner & { free?: boolean }) | undefined {
  try {
    const owner: unknown = JSON.parse(text)
    const { pid, host } = (owner ?? {}) as Partial<Owner>
    const isOne = Number.isSafeInteger(pid) && Number(pid) > 0 && typeof host === 'string'
    return isOne ? (owner as Owner) : undefined
  } catch {
    return undefined
  }
}

function look(path: string): Found {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | NO_LINK_NO_WAIT)
  } catch (error) {
    if (!IS_DAMAGED.test(codeOf(error))) throw error
    return { id: `${lstatSync(path).ino}`, owner: undefined, isFree: false }
  }
  try {
    const stat = fstatSync(file)
    const isText = stat.isFile() && stat.size <= MOST_BYTES
    const text = isText ? readFileSync(file, 'utf8') : ''
    const owner = parseOwner(text)
    return {
      id: owner ? text : `${stat.ino} ${text}`,
      owner,
      isFree: owner?.free === true || (isText && stat.mtimeMs === 0),
    }
  } finally {
    closeSync(file)
  }
}

const remove = (path: string) => {
  try {
    unlinkSync(path)
  } catch {} // gone already, or a folder, which is not ours
}

/** Creates a file with this text, whole from its first moment. Fails where there is one. */
function create(path: string, text: string): void {
  const beside = `${path}.${randomUUID()}.new`
  try {
    writeFileSync(beside, text, { flag: 'wx', mode: 0o600 })
    try {
      linkSync(beside, path)
    } catch (error) {
      if (/^(EEXIST|ENOENT)$/.test(codeOf(error))) throw error
      writeFileSync(path, text, { flag: 'wx', mode: 0o600 }) // no hard links here
    }
  } finally {
    remove(beside)
  }
}

/** The numbers that begin the names in a folder. */
const numbersOf = (names: readonly string[], pattern: RegExp): number[] =>
  names.flatMap(name => pattern.exec(name)?.[1] ?? []).map(Number)
const LOCK = /^([1-9]\d{0,14})$/
const numbersIn = (directory: string) => numbersOf(readdirSync(directory), LOCK)
/** What was written beside a lock, by who may have been killed there. */
const BESIDE = /^([1-9]\d{0,14})\..*(new|free)$/

const notAFolder = (path: string) =>
  new StorageError(
    `"${path}" is not a folder but a link or a file: no lock is kept there. Remove it, or name another file for the tokens.`,
  )

/**
 * Lock among processes: a folder of numbered files, of which the highest is the lock and names its owner. To take it
 * is to create the next number, which only one can. A file stays until a higher one is there, so numbers only grow:
 * the lock of a dead owner is never broken by two at once, and who acted on an old listing finds a higher number than
 * its own and steps back.
 *
 * A lock is free when its owner let go, or is dead for sure: a process of the same boot and PID namespace. Any other is
 * overtaken when this process has watched it unchanged for `staleMs`, whatever clocks and the file's times say.
 */
export function fileLock(
  folder: string,
  clock: Clock,
  { staleMs = STALE_MS, elapsed = () => performance.now() }: FileLockOptions = {},
): FileLock {
  const me = thisProcess()
  const watches = new Map<string, { readonly what: string; readonly at: number; readonly ms: number }>()

  /** For how long this process has watched the same lock. A gap, in which both may have been frozen, counts little. */
  const watch = (path: string, id: string): number => {
    const directory = join(path, '..')
    const what = `${path} ${id}`
    const at = elapsed()
    const before = watches.get(directory)
    const ms = before?.what === what ? before.ms + Math.min(at - before.at, staleMs / 10) : 0
    watches.set(directory, { what, at, ms })
    return ms
  }

  const isFree = (path: string, { id, owner, isFree: isLetGo }: Found): boolean => {
    if (isLetGo) return true
    const life = owner ? lifeOf(owner, me) : 'unknown'
    if (life === 'dead') return true
    return watch(path, id) >= (life === 'running' ? Math.max(staleMs, STALE_MS) : staleMs)
  }

  const prepare = (directory: string) => {
    const refuseLink = (path: string) => {
      const found = lstatSync(path, { throwIfNoEntry: false })
      if (found && !found.isDirectory()) throw notAFolder(path)
    }
    refuseLink(folder)
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    refuseLink(directory)
  }

  /** @returns the number of the lock that is now ours, or undefined. */
  const take = (directory: string, text: string): number | undefined => {
    const from = elapsed()
    const pathOf = (number: number | string) => join(directory, String(number))
    const highest = Math.max(0, ...numbersIn(directory))
    const next = highest + 1
    if (!LOCK.test(String(next))) throw new Error(`Lock ${highest} was not made by latchkey. Remove it.`)
    const found = highest ? look(pathOf(highest)) : undefined
    if (found && !isFree(pathOf(highest), found)) return undefined
    create(pathOf(next), text)
    const isAsItWas = () => {
      const again = found && look(pathOf(highest))
      return !again || again.isFree || again.id === found?.id
    }
    const names = readdirSync(directory)
    // who was frozen in here for long may be taken for dead
    const isLate = elapsed() - from > staleMs / 2
    if (isLate || Math.max(...numbersOf(names, LOCK)) > next || !isAsItWas()) {
      if (isLate) letGo(pathOf(next), text)
      else remove(pathOf(next))
      return undefined
    }
    // one generation is left behind for those who are listing the folder right now
    for (const name of names) {
      const [number = highest] = [...numbersOf([name], LOCK), ...numbersOf([name], BESIDE)]
      if (number < highest) remove(pathOf(name))
    }
    return next
  }

  const letGo = (path: string, text: string) => {
    const beside = `${path}.${me.pid}.free`
    try {
      if (look(path).id !== text) return // the folder was removed meanwhile, and others begin anew there
      // by rename, so that nobody reads half of it; where the lock was overtaken meanwhile, a higher number stands
      writeFileSync(beside, JSON.stringify({ ...JSON.parse(text), free: true }), { mode: 0o600 })
      renameSync(beside, path)
    } catch {
      try {
        lutimesSync(path, 0, 0) // a full disk takes this too
        unlinkSync(beside)
      } catch {}
    }
  }

  const isMine = (directory: string, number: number, text: string): boolean => {
    try {
      return (
        Math.max(0, ...numbersIn(directory)) === number && look(join(directory, String(number))).id === text
      )
    } catch {
      return !existsSync(directory) // where there is no lock, nobody else has it
    }
  }

  /** Callers of this process take turns; only the first of them stands in line with other processes. */
  const turns = localLock(clock)
  const leftAt = new Map<string, number>()

  const tryToTake = (directory: string, text: string): number | undefined => {
    try {
      return take(directory, text)
    } catch (error) {
      // somebody was faster, or has removed the folder: look again
      if (!/^(EEXIST|ENOENT)$/.test(codeOf(error))) throw error
      prepare(directory)
      return undefined
    }
  }

  const runInTurn = async <T>(
    name: string,
    work: (isMine: () => boolean) => Promise<T>,
    giveUpAt: number,
  ): Promise<T> => {
    const directory = join(folder, encodeURIComponent(name))
    const text = JSON.stringify({ ...me, taken: randomUUID() })
    let mine: number | undefined
    try {
      // who has just let go lets other processes look first
      if (elapsed() - (leftAt.get(name) ?? Number.NEGATIVE_INFINITY) < POLL_MS)
        await pause(clock, POLL_MS * 1.5)
      prepare(directory)
      for (
        mine = tryToTake(directory, text);
        mine === undefined && elapsed() < giveUpAt;
        mine = tryToTake(directory, text)
      ) {
        const isUrgent = giveUpAt - elapsed() < URGENT_MS
        await pause(clock, (isUrgent ? POLL_MS / 5 : POLL_MS) * (0.5 + Math.random()))
      }
    } catch (cause) {
      if (cause instanceof StorageError) throw cause
      throw new StorageError(
        `The lock "${directory}" could not be taken. Check that its folder may be written.`,
        { cause },
      )
    }
    if (mine === undefined)
      throw new LockTimeoutError(`The lock "${directory}" was not free in time. Try again.`)
    const number = mine
    try {
      return await work(() => isMine(directory, number, text))
    } finally {
      leftAt.set(name, elapsed())
      letGo(join(directory, String(number)), text)
    }
  }

  return {
    run: (name, work, waitMs) => {
      const giveUpAt = elapsed() + waitMs
      return turns.run(name, () => runInTurn(name, work, giveUpAt), waitMs)
    },
  }
}
