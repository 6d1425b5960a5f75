import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { withTimeLimit } from '../../core/waiting.ts'
import { deviceClock } from '../device.ts'
import { listen, type Routes, refuse } from './loopback-listener.ts'

/** Passes a URL to the system's browser without showing it to other users of this machine. */
export interface HandOver {
  /** The argument for the program that opens the browser. Every user of the machine can read it. */
  readonly argument: string
  /** Resolves when the browser has the URL; never resolves if latchkey cannot know. */
  readonly taken: Promise<void>
  close(): void
}

const CONNECTIONS = ['/proc/net/tcp', '/proc/net/tcp6']
const ESTABLISHED = '01'

const isWsl = ({ WSL_DISTRO_NAME }: NodeJS.ProcessEnv) => Boolean(WSL_DISTRO_NAME)

/** The program of a Linux system that opens the browser: in WSL, that of Windows. */
const openerOf = (env: NodeJS.ProcessEnv) => (isWsl(env) ? 'wslview' : 'xdg-open')

const isOnPath = (program: string, { PATH = '' }: NodeJS.ProcessEnv) =>
  PATH.split(delimiter).some(folder => folder !== '' && existsSync(join(folder, program)))

/** Whether latchkey can open a browser that the user sees: not over SSH, where the user sits at another machine. */
export function hasBrowser({ env, platform }: Pick<NodeJS.Process, 'env' | 'platform'> = process): boolean {
  const { SSH_CONNECTION, SSH_TTY, DISPLAY, WAYLAND_DISPLAY, CODESPACES, REMOTE_CONTAINERS } = env
  if (SSH_CONNECTION || SSH_TTY || CODESPACES || REMOTE_CONTAINERS) return false
  if (/^(darwin|win32)$/.test(platform)) return true
  return Boolean(isWsl(env) || DISPLAY || WAYLAND_DISPLAY) && isOnPath(openerOf(env), env)
}

/** Starts the system's browser. It never uses a shell, so the URL stays an argument and cannot become a command. */
export function openInBrowser(argument: string): void {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', argument]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', argument]
        : [openerOf(process.env), argument]
  const child = spawn(command as string, args, { stdio: 'ignore', detached: true })
  child.on('error', () => {}) // no such program: the user can open the printed address
  child.unref()
}

/**
 * Whether the system's table of connections shows that the client's end of a connection belongs to this user, to root (who
 * sees everything anyway, and relays connections into virtual machines) or to the user who ran `sudo`.
 * @param clientPort the port of the client's end.
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

/** A link to latchkey's own listener. It redirects to the URL once, and only for this user's browser. */
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

/** A local HTML file that redirects to the URL and that only this user can read. */
export function fileHandOver(url: string): HandOver {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-')) // creates it with mode 0700
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
 * Chooses how to pass the URL to the browser. Other users can read a program's arguments, except on Windows. A sandboxed
 * browser (snap) cannot read a file in a temporary folder, and anyone who sees a link can follow it. So latchkey uses a
 * link if the system reports who follows it, and a file otherwise.
 */
export function handOver(url: string, here: URL, routes: Routes): HandOver {
  if (process.platform === 'win32') return { argument: url, taken: new Promise(() => {}), close() {} }
  return CONNECTIONS.some(path => existsSync(path)) ? linkHandOver(url, here, routes) : fileHandOver(url)
}

/** How long a program waits for the browser to fetch the address before it may exit. */
const SHOW_MS = 3000

/**
 * Opens the provider's sign-out page in the system's browser if there is one, and prints the address to standard error.
 * Never rejects. Waits until the browser has the address, 3 s at most.
 */
export async function showSignOut(url: string): Promise<void> {
  const address = new URL(url)
  address.searchParams.delete('id_token_hint') // keeps the ID Token out of the terminal's log; the provider asks the user
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
