import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { codeOf } from '../core/file-trouble.ts'
import { LEASE_MS } from '../core/waiting.ts'

/** How long a lock file may be without its owner's name: from its creation until the next line of the same code. */
const UNNAMED_MS = 500
/** Between two looks, at most so much counts as watched: a machine that sleeps watches nothing. */
const GAP_MS = 1000

interface Owner {
  readonly pid: number
  /** Tells the owner from a later process that got the same number. */
  readonly startTime?: string | undefined
  /** Where its pid means this process. */
  readonly place?: string | undefined
  /** Set when the owner has let go. */
  readonly free?: true
}

/** Start times are counted in the time namespace; a kernel before 5.6 has but one. */
const timeNamespace = (): string => {
  try {
    return readlinkSync('/proc/self/ns/time')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'time'
    throw error
  }
}

/** Where process numbers are counted as here: this boot of this machine, this PID namespace. `undefined` where the system does not tell. */
function findPlace(): string | undefined {
  try {
    if (readlinkSync('/proc/self') !== String(process.pid)) return undefined // this /proc is of another namespace
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return [hostname(), bootId, readlinkSync('/proc/self/ns/pid'), timeNamespace()].join(' ')
  } catch {
    return undefined
  }
}

/** A process in the kernel's words: its state, and when it started, in ticks; undefined where the system does not tell. */
function statOf(pid: number): { readonly state: string; readonly startTime: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before it may hold spaces
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

/** Judges the owners of lock files. */
export interface Owners {
  /** The line that a lock file of this process holds; each is another. */
  name(id: string): string
  /** The line of a lock file that this process has let go. */
  readonly free: string
  /** @returns whether the lock may be taken from the owner that `text` names; looks at it again later if not. */
  isFree(directory: string, number: number, text: string | undefined, leaseMs: number): boolean
  /** The next owner of this lock is watched from the beginning. */
  forget(directory: string): void
}

/** @param elapsed milliseconds by a clock that nobody can set. */
export function createOwners(elapsed: () => number): Owners {
  const place = findPlace()
  const me: Owner = { pid: process.pid, startTime: place && statOf(process.pid)?.startTime, place }
  const watched = new Map<string, { readonly sight: string; readonly at: number; readonly forMs: number }>()

  /** How long this process has seen the same. */
  const watch = (directory: string, sight: string): number => {
    const at = elapsed()
    const last = watched.get(directory)
    const forMs = last?.sight === sight ? last.forMs + Math.min(at - last.at, GAP_MS) : 0
    watched.set(directory, { sight, at, forMs })
    return forMs
  }

  /** How long an owner is waited for, watched from now on; 0 for one that is dead. */
  const patienceFor = (owner: Owner, leaseMs: number): number => {
    if (!place || owner.place !== place) return leaseMs
    if (!isRunning(owner.pid)) return 0
    const stat = statOf(owner.pid)
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
