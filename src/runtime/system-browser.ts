import { spawn } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A browser that starts here is of no use to who sits elsewhere. */
function hasBrowser(): boolean {
  const { SSH_CONNECTION, SSH_TTY, DISPLAY, WAYLAND_DISPLAY } = process.env
  if (SSH_CONNECTION || SSH_TTY) return false
  return /^(darwin|win32)$/.test(process.platform) || Boolean(DISPLAY || WAYLAND_DISPLAY)
}

const FOLDER = 'latchkey-sign-in-'
const PAGE = 'sign-in.html'
/** Longer than a sign-in takes: what is older was left by a process that was killed. */
const LEFT_MS = 3_600_000

const remove = (folder: string) => {
  try {
    unlinkSync(join(folder, PAGE))
  } catch {}
  try {
    rmdirSync(folder)
  } catch {}
}

function sweep(place: string): void {
  const owner = process.getuid?.()
  for (const name of readdirSync(place).filter(name => name.startsWith(FOLDER))) {
    const folder = join(place, name)
    const found = lstatSync(folder, { throwIfNoEntry: false })
    const isLeft = found?.isDirectory() && found.uid === owner && Date.now() - found.mtimeMs > LEFT_MS
    if (isLeft) remove(folder)
  }
}

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)

/** @returns the page that leads to `url` and that nobody else can read, and what removes it. */
function writePage(url: string): { readonly page: string; remove(): void } {
  // a browser that came as a snap sees nothing of the temporary folder, and nothing hidden
  const place = existsSync('/var/lib/snapd/snaps') ? homedir() : tmpdir()
  sweep(place)
  const folder = mkdtempSync(join(place, FOLDER)) // mode 0700
  const href = escapeHtml(new URL(url).href)
  const stop = () => {
    process.removeListener('exit', stop)
    remove(folder)
  }
  process.once('exit', stop)
  try {
    writeFileSync(
      join(folder, PAGE),
      `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>Signing in</title><meta http-equiv="refresh" content="0;url=${href}"><p><a href="${href}">Go on to sign in</a></p>`,
      { flag: 'wx', mode: 0o600 },
    )
  } catch (error) {
    stop()
    throw error
  }
  return { page: pathToFileURL(join(folder, PAGE)).href, remove: stop }
}

/** Never through a shell: the address is an argument, not a command. */
function start(command: string, ...args: string[]): void {
  const opener = spawn(command, args, { stdio: 'ignore', detached: true })
  opener.on('error', () => {}) // no opener here: the address was printed
  opener.unref()
}

/**
 * Prints the address of a sign-in and opens it in the system's browser. Other users of the machine can read the
 * arguments of its processes, but on Windows: who knows the address could answer it first, and the program would be
 * signed in as somebody else. So the browser is given a private file that leads there.
 * @returns what ends it.
 */
export function show(
  url: string,
  { port, host, inBrowser }: { port: number; host: string; inBrowser: boolean },
): () => void {
  process.stderr.write(`Open this address to sign in:\n${url}\n`)
  if (!inBrowser || !hasBrowser()) {
    process.stderr.write(
      `The answer has to reach port ${port} of this machine. From another one, first run there:\nssh -N -L ${port}:${host}:${port} <this machine>\n`,
    )
    return () => {}
  }
  try {
    if (process.platform === 'win32') {
      start('rundll32', 'url.dll,FileProtocolHandler', url)
      return () => {}
    }
    const { page, remove } = writePage(url)
    start(process.platform === 'darwin' ? 'open' : 'xdg-open', page)
    return remove
  } catch {
    return () => {} // the address was printed
  }
}
