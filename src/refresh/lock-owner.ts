import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process as other processes know it. Two machines, containers or boots may use the same number for theirs. */
export interface Owner {
  readonly pid: number
  /** In the kernel's ticks: tells the process from a later one that got the same number. */
  readonly startTime?: string | undefined
  readonly host: string
  /** Containers of one machine may have the same host name, and each a process of this number. */
  readonly pidNamespace?: string | undefined
  readonly boot?: string | undefined
}

/** What is known of an owner. `unknown`: it may live where this process cannot see it. */
export type Life = 'dead' | 'stopped' | 'running' | 'unknown'

/** Where the system does not tell: undefined. */
const told = (read: () => string): string | undefined => {
  try {
    return read().trim()
  } catch {
    return undefined
  }
}

/** The state of a process and when it started. */
function statOf(pid: number | 'self') {
  const stat = told(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  if (stat === undefined) return undefined
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before it may hold spaces
  return { state, startTime: fields[18] }
}

export function thisProcess(): Owner {
  // the /proc of another namespace has other numbers in it: what it tells is about others
  const isOurs = told(() => readlinkSync('/proc/self')) === String(process.pid)
  return {
    pid: process.pid,
    startTime: statOf('self')?.startTime,
    host: hostname(),
    pidNamespace: isOurs ? told(() => readlinkSync('/proc/self/ns/pid')) : undefined,
    boot: told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
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

/**
 * Whether `owner` lives, as far as `me` can tell. Only within one boot and one PID namespace do process numbers say
 * anything. Another boot is no proof of a death: two machines may have the same name, and clones the same machine id.
 */
export function lifeOf(owner: Owner, me: Owner): Life {
  const isNeighbour =
    me.boot !== undefined &&
    me.pidNamespace !== undefined &&
    owner.boot === me.boot &&
    owner.pidNamespace === me.pidNamespace &&
    owner.host === me.host
  if (!isNeighbour) return 'unknown'
  if (!isRunning(owner.pid)) return 'dead'
  const { state = '', startTime } = statOf(owner.pid) ?? {}
  if (/[ZX]/.test(state)) return 'dead'
  if (startTime !== undefined && owner.startTime !== undefined && startTime !== owner.startTime) return 'dead'
  return /[Tt]/.test(state) ? 'stopped' : 'running'
}
