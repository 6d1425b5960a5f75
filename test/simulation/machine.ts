import type { Lock } from '../../src/core/ports.ts'
import { fileLock } from '../../src/lock/file.ts'
import type { LockFolder } from '../../src/lock/lock-folder.ts'
import type { Safeguard } from './parameters.ts'
import type { Realm } from './realm.ts'
import type { Random, Scheduler } from './scheduler.ts'

export interface MachinePorts {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly missing: readonly Safeguard[]
  /** Probability that the disk is full, per write of a lock file. Read each time, because the faults stop. */
  faults(): number
  failed(realm: Realm, what: string): void
  /** A process waits for one that it cannot see, because that runs in another container. */
  waitsUnseen(waiting: Realm): void
}

/**
 * A machine whose processes share a folder of lock files. They run in two containers with the same host name, and each sees
 * only the processes of its own: the same pid may be in both.
 */
export interface Machine {
  openedBy(realm: Realm): Lock
}

const refusal = (code: string) => Object.assign(new Error(`On order of the simulation: ${code}`), { code })

export function createMachine({ scheduler, random, missing, ...ports }: MachinePorts): Machine {
  const containers = [new Map<number, Realm>(), new Map<number, Realm>()] as const
  const folders = new Map<string, Map<number, string>>()

  const folderFor = (realm: Realm, place: string, name: string): LockFolder => {
    const files = () => {
      const found = folders.get(name)
      if (!found) throw refusal('ENOENT')
      return found
    }
    const write = (number: number, text: string) => {
      if (random.chance(ports.faults())) {
        ports.failed(realm, 'a lock file is not written: the disk is full')
        throw refusal('ENOSPC')
      }
      files().set(number, text)
    }
    return {
      path: name,
      prepare() {
        if (!folders.has(name)) folders.set(name, new Map())
      },
      list() {
        const numbers = [...files().keys()]
        const highest = Math.max(0, ...numbers)
        return { highest, before: numbers.filter(number => number < highest - 1).map(String) }
      },
      read(number) {
        const text = files().get(number)
        if (text && !text.includes(place) && !text.includes('"free"')) ports.waitsUnseen(realm)
        return text
      },
      create(number, text) {
        if (files().has(number)) throw refusal('EEXIST')
        write(number, text)
      },
      rewrite: write,
      remove: name => void files().delete(Number(name)),
    }
  }

  return {
    openedBy(realm) {
      const container = random.pick([0, 1] as const)
      const seen = containers[container]
      const pid = seen.size + 1
      seen.set(pid, realm)
      const place = missing.includes('owner-known-by-place') ? 'machine' : `machine, container ${container}`
      const stateOf = (pid: number) => seen.get(pid)?.state ?? 'dead'
      return fileLock('', realm.clock, () => scheduler.now, {
        open: name => folderFor(realm, place, name),
        processes: {
          pid,
          place,
          isRunning: pid => stateOf(pid) !== 'dead',
          statOf: pid => ({
            state: stateOf(pid) === 'frozen' ? 'T' : 'S',
            startTime: String(seen.get(pid)?.bornAt),
          }),
        },
        random: random.next,
      })
    },
  }
}
