import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall, canUseApt, everythingIsRequired, isProgram, onPath } from '../programs.ts'
import { launchChromiumEngine } from './chromium.ts'
import type { FoundEngine } from './engine.ts'
import { launchFirefox } from './firefox.ts'
import { launchWebKit, type WebKitPrograms } from './webkit.ts'

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

/** Finds the browser of the WebKit driver, which Debian does not put on the PATH but in a folder of the architecture. */
const findMiniBrowser = (): string | undefined =>
  foldersIn('/usr/lib', /-linux-gnu/)
    .flatMap(folder => foldersIn(folder, /^webkit2?gtk-/))
    .map(folder => join(folder, 'MiniBrowser'))
    .find(isProgram)

function findWebKit(): WebKitPrograms | undefined {
  const [driver, browser, display] = [onPath('WebKitWebDriver')[0], findMiniBrowser(), onPath('Xvfb')[0]]
  return driver && browser && display ? { driver, browser, display } : undefined
}

export const findFirefox = (): string | undefined => ['firefox-esr', 'firefox'].flatMap(onPath)[0]

/** Finds the engines on this machine. Chromium is always one of them, because the test run has installed it. */
export function findEngines(): FoundEngine[] {
  const firefox = findFirefox()
  const webkit = findWebKit()
  return [
    { name: 'Chromium', launch: launchChromiumEngine },
    ...(firefox ? [{ name: 'Firefox', launch: () => launchFirefox(firefox) } as const] : []),
    ...(webkit ? [{ name: 'WebKit', launch: () => launchWebKit(webkit) } as const] : []),
  ]
}

/**
 * Installs missing engines if possible: on Debian or Ubuntu, as root.
 * @returns the names of the available engines.
 * @throws Error with one sentence if all are required and one is missing.
 */
export async function ensureEngines(say: (line: string) => void): Promise<string[]> {
  if (findEngines().length < 3 && canUseApt()) {
    say(`Firefox and WebKit: installing ${PACKAGES.join(', ')} by apt-get`)
    await aptInstall(PACKAGES)
  }
  const names = findEngines().map(({ name }) => name)
  if (names.length < 3 && everythingIsRequired()) {
    throw new Error(`Only ${names.join(' and ')} can be tested here: install ${PACKAGES.join(', ')}.`)
  }
  return names
}
