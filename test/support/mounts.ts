import { execFileSync } from 'node:child_process'
import { afterEach } from 'vitest'
import { tempFolders } from './temp-folder.ts'

const runs = (command: string, ...args: string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Whether this user may start processes in a PID namespace of their own. */
export const canUnshare = runs('unshare', '--pid', '--fork', '--mount-proc', 'true')

/** Whether this user may mount file systems: root, and not in every container. */
export const canMount =
  process.platform === 'linux' && process.getuid?.() === 0 && runs('unshare', '--mount', 'true')

/** A small disk of its own, which ends with its test. */
export interface Disk {
  readonly path: string
  /** Nothing can be written any more, whoever wants to. */
  makeReadOnly(): void
}

/** @returns makes a disk of so many KiB. */
export function disks(): (kib: number) => Disk {
  const mounted: string[] = []
  // after-each hooks run in reverse: a disk is gone before its folder is removed
  const tempFolder = tempFolders()
  afterEach(() => {
    for (const path of mounted.splice(0)) execFileSync('umount', ['--lazy', path])
  })
  return kib => {
    const path = tempFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k,mode=700`, 'latchkey-test', path])
    mounted.push(path)
    return { path, makeReadOnly: () => void execFileSync('mount', ['-o', 'remount,ro', path]) }
  }
}
