import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isProgram, onPath } from '../chromium.ts'
import { runCommand } from '../command.ts'
import { launchChromiumEngine } from './chromium.ts'
import type { FoundEngine } from './engine.ts'
import { launchFirefox } from './firefox.ts'
import { launchWebKit, type WebKitPrograms } from './webkit.ts'

/** Set to `all`, a run without Firefox or WebKit is red. */
export const ENGINES_VARIABLE = 'LATCHKEY_ENGINES'
const PACKAGES = ['firefox-esr', 'webkit2gtk-driver', 'xvfb']

const foldersIn = (folder: string, name: RegExp): string[] => {
  try {
    return readdirSync(folder)
      .filter(entry => name.test(entry))
      .map(entry => join(folder, entry))
  } catch {
    return []
  }
}

/** Debian keeps the browser that the driver drives out of the path, in a folder of the machine's architecture. */
const findMiniBrowser = (): string | undefined =>
  foldersIn('/usr/lib', /-linux-gnu/)
    .flatMap(folder => foldersIn(folder, /^webkit2?gtk-/))
    .map(folder => join(folder, 'MiniBrowser'))
    .find(isProgram)

function findWebKit(): WebKitPrograms | undefined {
  const [driver, browser, display] = [onPath('WebKitWebDriver')[0], findMiniBrowser(), onPath('Xvfb')[0]]
  return driver && browser && display ? { driver, browser, display } : undefined
}

/** The engines that this machine has. Chromium is always there: the run has seen to that. */
export function findEngines(): FoundEngine[] {
  const [firefox] = ['firefox-esr', 'firefox'].flatMap(onPath)
  const webkit = findWebKit()
  return [
    { name: 'Chromium', launch: launchChromiumEngine },
    ...(firefox ? [{ name: 'Firefox', launch: () => launchFirefox(firefox) } as const] : []),
    ...(webkit ? [{ name: 'WebKit', launch: () => launchWebKit(webkit) } as const] : []),
  ]
}

/**
 * Installs what is missing where that can be done: Debian or Ubuntu, as root.
 * @returns the names of the engines that there are then.
 * @throws Error with one sentence where all are wanted and one is missing.
 */
export async function ensureEngines(say: (line: string) => void): Promise<string[]> {
  const canInstall = process.getuid?.() === 0 && onPath('apt-get').length > 0
  if (findEngines().length < 3 && canInstall) {
    say(`Firefox and WebKit: installing ${PACKAGES.join(', ')} by apt-get`)
    const options = { timeoutMs: 600_000, env: { DEBIAN_FRONTEND: 'noninteractive' } }
    await runCommand('apt-get', ['update', '-qq'], options)
    await runCommand('apt-get', ['install', '-y', '-qq', ...PACKAGES], options)
  }
  const names = findEngines().map(({ name }) => name)
  if (names.length < 3 && process.env[ENGINES_VARIABLE] === 'all') {
    throw new Error(`Only ${names.join(' and ')} can be tested here: install ${PACKAGES.join(', ')}.`)
  }
  return names
}
