import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runCommand } from './command.ts'

export const isRoot = process.getuid?.() === 0

/** Whether a missing engine or service makes the run red, as in `.ci/run`. Elsewhere a run names what is there. */
export const everythingIsRequired = (): boolean => process.env.LATCHKEY_ENGINES === 'all'

export const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Finds a program on the PATH. */
export const onPath = (program: string): string[] =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder, program))
    .filter(isProgram)

/** Whether packages can be installed: on Debian or Ubuntu, as root. */
export const canUseApt = (): boolean =>
  isRoot && existsSync('/etc/debian_version') && onPath('apt-get').length > 0

/**
 * Installs packages of Debian or Ubuntu.
 * @param args the packages, and more options of `apt-get install`.
 * @param show whether to show the output of apt-get.
 * @returns an error text, or `undefined` on success.
 */
export async function aptInstall(args: readonly string[], show = false): Promise<string | undefined> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (command: string[], timeoutMs: number) =>
    runCommand('apt-get', [show ? '-q' : '-qq', ...command], { show, timeoutMs, env })
  const update = await apt(['update'], 180_000)
  // even without an update: the lists of packages may be there already
  const install = await apt(['install', '-y', ...args], 600_000)
  if (install.code === 0) return undefined
  return `apt-get ${update.code === 0 ? 'install' : 'update'} failed`
}
