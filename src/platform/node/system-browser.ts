import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { withTimeLimit } from '../../core/waiting.ts'
import { deviceClock } from '../device.ts'
import { listen, type Routes, refuse } from './loopback-listener.ts'

/** A way to a URL for the system's browser that does not show the URL to other users of this machine. */
export interface HandOver {
  /** What the opener is started with. Every user of the machine may read it. */
  readonly argument: string
  /** Settles when the browser has the URL, where that can be told. */
  readonly taken: Promise<void>
  close(): void
}

const CONNECTIONS = ['/proc/net/tcp', '/proc/net/tcp6']
const ESTABLISHED = '01'

const isWsl = () => Boolean(process.env.WSL_DISTRO_NAME)

/** A browser that starts here is of no use to a user who sits elsewhere. */
export function hasBrowser(): boolean {
  const { SSH_CONNECTION, SSH_TTY, DISPLAY, WAYLAND_DISPLAY, CODESPACES, REMOTE_CONTAINERS } = process.env
  if (SSH_CONNECTION || SSH_TTY || CODESPACES || REMOTE_CONTAINERS) return false
  if (isWsl()) return true // Windows has one
  return /^(darwin|win32)$/.test(process.platform) || Boolean(DISPLAY || WAYLAND_DISPLAY)
}

/** Starts the system's browser. Never through a shell: what is opened is an argument, not a command. */
export function openInBrowser(argument: string): void {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', argument]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', argument]
        : [isWsl() ? 'wslview' : 'xdg-open', argument]
  const child = spawn(command as string, args, { stdio: 'ignore', detached: true })
  child.on('error', () => {}) // no opener here: the address was printed
  child.unref()
}

/**
 * Which of these rows of the system's table of connections is the other end of one: owned by this user, by root (who sees
 * everything anyway, and relays connections into virtual machines) or by the user who became root.
 * @param clientPort the other end's port.
 */
export function isOwnConnection(table: string, clientPort: number, serverPort: number): boolean {
  const { SUDO_UID } = process.env
  const own = process.getuid?.()
  const users = [String(own), '0', ...(own === 0 && SUDO_UID ? [SUDO_UID] : [])]
  const ends = (address = '', port: number) =>
    address.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`)
  const rows = table.split('\n').map(row => row.trim().split(/\s+/))
  const found = rows.filter(([, local, remote]) => ends(local, clientPort) && ends(remote, serverPort))
  return (
    found.length > 0 &&
    found.every(([, , , state, , , , user = '']) => state === ESTABLISHED && users.includes(user))
  )
}

const isFromOwnUser = ({ socket: { remotePort = 0, localPort = 0 } }: IncomingMessage): boolean => {
  try {
    const tables = CONNECTIONS.filter(path => existsSync(path)).map(path => readFileSync(path, 'latin1'))
    return isOwnConnection(tables.join('\n'), remotePort, localPort)
  } catch {
    return false
  }
}

/** A link to our own listener that redirects to the URL: once, and only this user's browser. */
export function linkHandOver(url: string, here: URL, routes: Routes): HandOver {
  const path = `/${randomBytes(16).toString('base64url')}`
  let take = () => {}
  const taken = new Promise<void>(resolve => {
    take = resolve
  })
  routes.set(path, (_, request) => {
    if (!isFromOwnUser(request)) {
      return { ...refuse(403), body: 'Open the address that the program has printed.' }
    }
    routes.delete(path)
    return { status: 302, body: '', headers: { location: url }, sent: take }
  })
  return { argument: here.origin + path, taken, close: () => void routes.delete(path) }
}

const toHtml = (text: string) => text.replace(/[&<>"']/g, character => `&#${character.codePointAt(0)};`)

/** A page that redirects to the URL, in a file that only this user can read. */
export function fileHandOver(url: string): HandOver {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-')) // of mode 0700
  const remove = () => {
    process.removeListener('exit', remove)
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', remove)
  const path = join(folder, 'open.html')
  const page =
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="referrer" content="no-referrer">' +
    `<meta http-equiv="refresh" content="0;url=${toHtml(url)}"><title>On the way</title>` +
    `<a href="${toHtml(url)}">Go on</a>`
  writeFileSync(path, page, { mode: 0o600, flag: 'wx' })
  return { argument: pathToFileURL(path).href, taken: new Promise(() => {}), close: remove }
}

/**
 * Chooses the way. Other users can read what a program is started with, but not on Windows. A browser in a sandbox (snap)
 * cannot read a file in a temporary folder, and a link can be followed by whoever sees it: so it is a link where the
 * system tells who follows it, else a file.
 */
export function handOver(url: string, here: URL, routes: Routes): HandOver {
  if (process.platform === 'win32') return { argument: url, taken: new Promise(() => {}), close() {} }
  return CONNECTIONS.some(path => existsSync(path)) ? linkHandOver(url, here, routes) : fileHandOver(url)
}

/** How long a browser may take to fetch an address that a program shows before it ends. */
const SHOW_MS = 3000

/**
 * Shows the provider's sign-out page in the system's browser, where there is one, and says so on standard error. Never
 * rejects, and holds the program until the browser has the address, 3 s at most.
 */
export async function showSignOut(url: string): Promise<void> {
  const address = new URL(url)
  address.searchParams.delete('id_token_hint') // no ID Token in a terminal's log: the provider asks the user instead
  const print = (text: string) => void process.stderr.write(`${text}\n${address.href}\n`)
  if (!hasBrowser()) return print('Open this address to sign out at the provider too:')
  const routes: Routes = new Map()
  const listener = listen(new URL('http://127.0.0.1/'), routes)
  let way: HandOver | undefined
  try {
    way = handOver(url, await listener.url, routes)
    print("The browser opens the provider's sign-out page. If it does not, open this address:")
    openInBrowser(way.argument)
    const { taken } = way
    await withTimeLimit(
      deviceClock,
      SHOW_MS,
      () => taken,
      () => new Error('not taken'),
    )
  } catch {
    if (!way) print('Open this address to sign out at the provider too:')
  } finally {
    way?.close()
    listener.close()
  }
}
