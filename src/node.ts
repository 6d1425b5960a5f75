import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { createAuthorization } from './authorization/index.ts'
import { composeClient } from './client.ts'
import type { Client } from './core/client.ts'
import type { Store } from './core/ports.ts'
import { ConfigurationError } from './errors.ts'
import { fileLock } from './lock/file.ts'
import { type ClientOptions, parseOptions } from './options.ts'
import { device, deviceClock } from './platform/device.ts'
import { loopback } from './platform/node/loopback.ts'
import { showSignOut } from './platform/node/system-browser.ts'
import { silentChannel } from './storage/channel.ts'
import { fileKeyValue } from './storage/file.ts'

export type { StepUp } from './core/challenge.ts'
export { memory } from './platform/memory.ts'
export { type LoopbackOptions, loopback } from './platform/node/loopback.ts'
export * from './public-types.ts'

type WithoutRedirectUri<T> = T extends unknown ? Omit<T, 'redirectUri'> : never

/** As for browsers, but the redirect URI has a default: `http://127.0.0.1/callback`, with any free port. */
export type NodeClientOptions = WithoutRedirectUri<ClientOptions> & { redirectUri?: string }

/**
 * How long a write waits for other processes that write the same file: a busy disk takes seconds to flush one. A client
 * gives up sooner, by its own limit for storage calls.
 */
const WRITE_WAIT_MS = 5000
/** How long a writer is waited for that is stopped or cannot be seen: less, so that a program that runs once goes on. */
const WRITE_LEASE_MS = 1000

/**
 * Tokens in one private file (mode 0600), shared by every process that names it.
 * @param path of the file; its folder is made where it is missing. A folder `<path>.lock` appears beside it.
 */
export function file(path: string): Store {
  const whole = resolve(path)
  const lock = fileLock(`${whole}.lock`, deviceClock)
  return {
    name: 'file',
    keyValue: fileKeyValue(whole, work => lock.run('write', work, WRITE_WAIT_MS, WRITE_LEASE_MS)),
    lock,
    channel: silentChannel,
  }
}

/** Where tokens are kept when the app names no store: one file per issuer and client in the user's own folder. */
function defaultFile(issuer: string, clientId: string): string {
  const { platform, env } = process
  const folder =
    platform === 'win32'
      ? (env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'))
      : platform === 'darwin'
        ? join(homedir(), 'Library', 'Application Support')
        : (env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'))
  const { host, pathname } = new URL(issuer)
  const name = `${host}${pathname}-${clientId}`.replace(/[^\w.-]+/g, '_')
  return join(folder, 'latchkey', `${name}.json`)
}

/** Here is no page that a relative URL could be resolved against. */
const parseNodeOptions: typeof parseOptions = (options, ...rest) => {
  const { redirectUri } = Object(options)
  const isRelative = typeof redirectUri === 'string' && /^\/(?!\/)/.test(redirectUri)
  if (!isRelative) return parseOptions(options, ...rest)
  throw new ConfigurationError(
    `"redirectUri" must be absolute, such as "http://127.0.0.1${redirectUri}"; got "${redirectUri}".`,
  )
}

/**
 * A client for scripts and command-line tools: signs in with the system's browser, keeps tokens in a private file.
 * @throws ConfigurationError when an option is wrong; its message names the option and what would be right.
 */
export function createClient(options: NodeClientOptions): Client {
  // what is wrong with no options at all is said by the check of all of them
  const whole = options && ({ redirectUri: 'http://127.0.0.1/callback', ...options } as ClientOptions)
  const environment = {
    ...device,
    store: () => file(defaultFile(whole.issuer ?? (whole.server?.issuer as string), whole.clientId)),
    userAgent: loopback,
    page: undefined,
    leave: showSignOut,
    baseUrl: () => undefined,
    wake: undefined,
  }
  return composeClient(whole, environment, { parseOptions: parseNodeOptions, createAuthorization })
}
