import { createAuthorization } from './authorization/index.ts'
import { composeClient } from './client.ts'
import type { Client } from './core/client.ts'
import { ConfigurationError } from './errors.ts'
import { createReplay } from './fetch/replay.ts'
import { type ClientOptions, parseOptions } from './options.ts'
import { device } from './platform/device.ts'
import { sha256 } from './platform/digest.ts'
import { defaultFile, file } from './platform/node/file-store.ts'
import { loopback } from './platform/node/loopback.ts'
import { showSignOut } from './platform/node/system-browser.ts'

export type { StepUp } from './core/challenge.ts'
export { memory } from './platform/memory.ts'
export { type FileOptions, file } from './platform/node/file-store.ts'
export { type LoopbackOptions, loopback } from './platform/node/loopback.ts'
export * from './public-types.ts'

type WithoutRedirectUri<T> = T extends unknown ? Omit<T, 'redirectUri'> : never

/** The options for browsers, but the redirect URI has a default: `http://127.0.0.1/callback` with any free port. */
export type NodeClientOptions = WithoutRedirectUri<ClientOptions> & { redirectUri?: string }

/** Refuses a relative redirect URI: in Node there is no page to resolve it against. */
const parseNodeOptions: typeof parseOptions = (options, ...rest) => {
  const { redirectUri } = Object(options)
  const isRelative = typeof redirectUri === 'string' && /^\/(?!\/)/.test(redirectUri)
  if (!isRelative) return parseOptions(options, ...rest)
  throw new ConfigurationError(
    `"redirectUri" must be absolute, such as "http://127.0.0.1${redirectUri}"; got "${redirectUri}".`,
  )
}

/**
 * Creates a client for scripts and command-line tools. It signs in with the system's browser and keeps tokens in a private
 * file.
 * @throws ConfigurationError for a wrong option. Its message names the option and a correct value.
 */
export function createClient(options: NodeClientOptions): Client {
  // parseOptions() reports missing options
  const whole = options && ({ redirectUri: 'http://127.0.0.1/callback', ...options } as ClientOptions)
  const environment = {
    ...device,
    store() {
      const { host, pathname } = new URL(whole.issuer ?? (whole.server?.issuer as string))
      return file(defaultFile(`${host}${pathname}-${whole.clientId}`))
    },
    userAgent: loopback,
    page: undefined,
    baseUrl: () => undefined,
    wake: undefined,
  }
  return composeClient(whole, environment, {
    parseOptions: parseNodeOptions,
    createAuthorization,
    createReplay,
    authorizationEnvironment: { hash: sha256, leave: showSignOut },
  })
}
