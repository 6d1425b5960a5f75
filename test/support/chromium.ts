import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type Browser, chromium, type LaunchOptions } from 'playwright'
import { runCommand } from './command.ts'
import { aptInstall, canUseApt, isProgram, isRoot, onPath } from './programs.ts'

/** The environment variable for the path of Chromium. The test run also passes the found path to its workers in it. */
export const CHROMIUM_VARIABLE = 'LATCHKEY_CHROMIUM'

export interface Chromium {
  readonly path: string
  readonly version: string
}

/** The arguments for every Chromium of the tests. They turn off everything that uses the network on its own. */
export const chromiumArgs: string[] = [
  ...(isRoot ? ['--no-sandbox'] : []),
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
  '--disable-gpu',
]

const systemNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const macApps = ['Google Chrome', 'Chromium'].map(name => `/Applications/${name}.app/Contents/MacOS/${name}`)

/** The paths of Chromium on this machine, in the order to try them. */
const candidates = (): string[] => {
  const chosen = process.env[CHROMIUM_VARIABLE]
  if (chosen) return [chosen]
  return [chromium.executablePath(), ...systemNames.flatMap(onPath), ...macApps].filter(isProgram)
}

const whatToInstall =
  `No Chromium that starts was found: install one (\`npx playwright install --with-deps chromium\`, or your system's ` +
  `package "chromium"), or name one in ${CHROMIUM_VARIABLE}.`

/** The first Chromium on this machine, without a check that it starts. */
export const findChromium = (): string | undefined => candidates()[0]

const SHELL = 'chromium-headless-shell'

/**
 * Debian's Chromium without windows. It is built from the same source in the same version, and opens and leaves pages for a
 * third of the processor's time. It has no profile, no extensions and no popup blocker.
 */
export function findHeadlessShell(): string | undefined {
  const browser = findChromium()
  return browser && [join(dirname(browser), SHELL)].find(isProgram)
}

/**
 * Installs the shell of a Chromium that is Debian's own, if possible. Without it, tests use the browser.
 * @returns whether it is there.
 */
export async function ensureHeadlessShell(say: (line: string) => void): Promise<boolean> {
  const isDebians = onPath('chromium').some(path => path === findChromium())
  if (!findHeadlessShell() && isDebians && canUseApt()) {
    say(`${SHELL}: installing it by apt-get, because it runs the tests in less time`)
    // it must have the version of the browser: rather none than another browser
    await aptInstall(['--no-remove', '--no-install-recommends', SHELL])
  }
  return findHeadlessShell() !== undefined
}

/** Starts the Chromium that the run found, for tests that drive it from Node. */
export function launchChromium(options: LaunchOptions = {}): Promise<Browser> {
  const executablePath = options.executablePath ?? findChromium()
  if (!executablePath) return Promise.reject(new Error(whatToInstall))
  return chromium.launch({
    timeout: 30_000,
    ...options,
    executablePath,
    args: [...chromiumArgs, ...(options.args ?? [])],
  })
}

async function versionOf(executablePath: string): Promise<string | undefined> {
  try {
    const browser = await launchChromium({ executablePath })
    const version = browser.version()
    await browser.close()
    return version
  } catch {
    return undefined
  }
}

async function firstThatStarts(tried: Set<string>): Promise<Chromium | undefined> {
  for (const path of candidates()) {
    if (tried.has(path)) continue
    tried.add(path)
    const version = await versionOf(path)
    if (version) return { path, version }
  }
  return undefined
}

/** Ways to install Chromium, the best first. Each resolves with an error text, or `undefined` on success. */
const installers: { name: string; fits: () => boolean; run: () => Promise<string | undefined> }[] = [
  {
    name: "Playwright's Chromium",
    fits: () => true,
    run: async () => {
      const manifest = createRequire(import.meta.url).resolve('playwright/package.json')
      const { code, output } = await runCommand(
        process.execPath,
        [join(dirname(manifest), 'cli.js'), 'install', '--no-shell', 'chromium'],
        // Playwright tries several addresses five times each: a short limit per try where none can be reached.
        { timeoutMs: 300_000, env: { PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: '4000' } },
      )
      return code === 0 ? undefined : (/^Error: .*/m.exec(output)?.[0] ?? 'it did not end in time')
    },
  },
  {
    name: 'the package "chromium" of Debian or Ubuntu',
    fits: canUseApt,
    run: () => aptInstall(['--no-install-recommends', 'chromium'], true),
  },
]

/**
 * Finds a Chromium that starts, or installs one.
 * @param say prints the current step, because an installation takes a while.
 * @throws Error with one sentence that says what to install.
 */
export async function ensureChromium(say: (line: string) => void): Promise<Chromium> {
  const tried = new Set<string>()
  const found = await firstThatStarts(tried)
  if (found) return found
  const chosen = process.env[CHROMIUM_VARIABLE]
  if (chosen) throw new Error(`${CHROMIUM_VARIABLE} names "${chosen}", which does not start as a Chromium.`)

  for (const installer of installers) {
    if (!installer.fits()) continue
    say(`No Chromium that starts was found; installing ${installer.name}.`)
    const problem = await installer.run()
    const usable = problem ? undefined : await firstThatStarts(tried)
    if (usable) return usable
    say(`That did not work: ${problem ?? 'what was installed does not start'}.`)
  }
  throw new Error(whatToInstall)
}
