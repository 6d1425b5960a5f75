import { createAuthorization } from './authorization/index.ts'
import { composeClient } from './client.ts'
import type { Client } from './core/client.ts'
import { ConfigurationError } from './errors.ts'
import { type ClientOptions, parseOptions } from './options.ts'
import { device } from './platform/device.ts'
import { defaultFile, file } from './platform/node/file-store.ts'
import { loopback } from './platform/node/loopback.ts'
import { showSignOut } from './platform/node/system-browser.ts'

export type { StepUp } from './core/challenge.ts'
export { memory } from './platform/memory.ts'
export { type FileOptions, file } from './platform/node/file-store.ts'
export { type LoopbackOptions, loopback } from './platform/node/loopback.ts'
export * from './public-types.ts'

type WithoutRedirectUri<T> = T extends unknown ? Omit<T, 'redirectUri'> : never

/** As for browsers, but the redirect URI has a default: `http://127.0.0.1/callback`, with any free port. */
export type NodeClientOptions = WithoutRedirectUri<ClientOptions> & { redirectUri?: string }

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
    store() {
      const { host, pathname } = new URL(whole.issuer ?? (whole.server?.issuer as string))
      return file(defaultFile(`${host}${pathname}-${whole.clientId}`))
    },
    userAgent: loopback,
    page: undefined,
    leave: showSignOut,
    baseUrl: () => undefined,
    wake: undefined,
  }
  return composeClient(whole, environment, { parseOptions: parseNodeOptions, createAuthorization })
}
