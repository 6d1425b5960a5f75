import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { codeOf } from '../core/file-trouble.ts'
import { LEASE_MS } from '../core/lock-times.ts'

/** How long a lock file may stay without its owner's name. The owner writes it right after it creates the file. */
const UNNAMED_MS = 500
/** The most time between two checks that counts as watched: a machine that sleeps does not watch. */
const GAP_MS = 1000

interface Owner {
  readonly pid: number
  /** Distinguishes the owner from a later process with the same pid. */
  readonly startTime?: string | undefined
  /** Where the pid is valid: the host, boot and namespaces. See `findPlace`. */
  readonly place?: string | undefined
  /** Set when the owner has released the lock. */
  readonly free?: true
}

/** Start times depend on the time namespace. Kernels before 5.6 have only one. */
const timeNamespace = (): string => {
  try {
    return readlinkSync('/proc/self/ns/time')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'time'
    throw error
  }
}

/**
 * Identifies where this process's view of pids and start times is valid: this boot of this machine, in its namespaces.
 * `undefined` if the system does not report it.
 */
function findPlace(): string | undefined {
  try {
    if (readlinkSync('/proc/self') !== String(process.pid)) return undefined // /proc belongs to another namespace
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return [hostname(), bootId, readlinkSync('/proc/self/ns/pid'), timeNamespace()].join(' ')
  } catch {
    return undefined
  }
}

interface Stat {
  /** One letter, as in `/proc`: Z and X are dead, T and t are stopped. */
  readonly state: string
  readonly startTime: string
}

/** The state of a process and its start time in clock ticks, from `/proc`. `undefined` if the system does not report it. */
function statOf(pid: number): Stat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name in front may contain spaces
    return { state, startTime: fields[18] ?? '' }
  } catch {
    return undefined
  }
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** The processes that this process sees. */
export interface Processes {
  readonly pid: number
  /** See `findPlace`. */
  readonly place: string | undefined
  isRunning(pid: number): boolean
  statOf(pid: number): Stat | undefined
}

const processesOfSystem = (): Processes => ({ pid: process.pid, place: findPlace(), isRunning, statOf })

function parseOwner(text: string | undefined): Owner | undefined {
  try {
    const owner: unknown = JSON.parse(text ?? '')
    if (typeof owner !== 'object' || owner === null) return undefined
    const { pid } = owner as Partial<Owner>
    return Number.isInteger(pid) && (pid as number) > 0 && (pid as number) < 2 ** 31
      ? (owner as Owner)
      : undefined
  } catch {
    return undefined
  }
}

/** Decides whether the owners of lock files still hold their locks. */
export interface Owners {
  /** The content of a lock file that this process holds. `id` makes it unique. */
  name(id: string): string
  /** The content of a lock file that this process has released. */
  readonly free: string
  /** @returns whether the lock may be taken from the owner that `text` names. Repeated calls measure how long to wait. */
  isFree(directory: string, number: number, text: string | undefined, leaseMs: number): boolean
  /** Restarts the count for this lock, because its owner changes. */
  forget(directory: string): void
}

/** @param elapsed the milliseconds of a monotonic clock. */
export function createOwners(elapsed: () => number, processes = processesOfSystem()): Owners {
  const { pid, place } = processes
  const me: Owner = { pid, startTime: place && processes.statOf(pid)?.startTime, place }
  const watched = new Map<string, { readonly sight: string; readonly at: number; readonly forMs: number }>()

  /** Returns for how many milliseconds this process has watched the lock without a change. */
  const watch = (directory: string, sight: string): number => {
    const at = elapsed()
    const last = watched.get(directory)
    const forMs = last?.sight === sight ? last.forMs + Math.min(at - last.at, GAP_MS) : 0
    watched.set(directory, { sight, at, forMs })
    return forMs
  }

  /** How many milliseconds the owner must be watched without a change before its lock may be taken; 0 if it is dead. */
  const patienceFor = (owner: Owner, leaseMs: number): number => {
    if (!place || owner.place !== place) return leaseMs
    if (!processes.isRunning(owner.pid)) return 0
    const stat = processes.statOf(owner.pid)
    if (!stat) return LEASE_MS
    if ('ZX'.includes(stat.state) || stat.startTime !== owner.startTime) return 0
    return 'Tt'.includes(stat.state) ? leaseMs : LEASE_MS
  }

  return {
    name: id => JSON.stringify({ ...me, id }),
    free: JSON.stringify({ ...me, free: true } satisfies Owner),
    isFree(directory, number, text, leaseMs) {
      const owner = parseOwner(text)
      const forMs = watch(directory, `${number} ${text}`)
      if (!owner) return forMs > UNNAMED_MS
      return owner.free === true || forMs >= patienceFor(owner, leaseMs)
    },
    forget: directory => void watched.delete(directory),
  }
}
