import { ArgumentError, type DemoArguments, help, parseArguments } from './arguments.ts'
import { createExchange } from './exchange.ts'
import { runLifecycle } from './lifecycle.ts'
import { arrowOfAuthorizationServer, arrowOfResourceServer } from './server-arrows.ts'
import type { AuthorizationServerLogEntry } from './servers/authorization-server-log.ts'
import { startServers } from './servers/start-servers.ts'

const print = (line: string) => {
  process.stdout.write(`${line}\n`)
}

const isColourful = () =>
  Boolean(process.stdout.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb'

/** Aborts on Ctrl-C or SIGTERM. A second Ctrl-C kills the process. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  process.once('SIGTERM', () => stop.abort())
  return stop.signal
}

const whenAborted = (signal: AbortSignal) =>
  new Promise<undefined>(resolve => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })

async function demo(options: DemoArguments) {
  const stop = stopSignal()
  const listeners = new Set<(entry: AuthorizationServerLogEntry) => void>()
  const exchange = createExchange({ print, colour: isColourful() })
  let inTerminal = true
  const servers = await startServers({
    ...options,
    authorizationServerLog: entry => {
      for (const listener of listeners) listener(entry)
      const arrow = arrowOfAuthorizationServer(entry)
      if (inTerminal && arrow) exchange.record(arrow)
    },
    resourceServerLog: entry => {
      const arrow = arrowOfResourceServer(entry)
      if (inTerminal && arrow) exchange.record(arrow)
    },
  })
  try {
    print(`authorization server  ${servers.issuer}`)
    print(`resource server       ${servers.apiUrl}`)
    print(`demo page             ${servers.pageUrl}`)
    const lifecycle = runLifecycle({
      issuer: servers.issuer,
      apiUrl: servers.apiUrl,
      exchange,
      signal: stop,
      authorizationServerLog: {
        subscribe: listener => {
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
      },
      revokeAccessTokensOf: subject => servers.revokeAccessTokensOf(subject, 'demo-cli'),
    })
    const counts = await Promise.race([lifecycle, whenAborted(stop)])
    inTerminal = false
    if (!counts) {
      // its clean-up still runs; the user asked to stop, so its rejection is expected
      lifecycle.catch(() => {})
      process.exitCode = options.once ? 1 : 0
      return
    }
    const { tokenRequests, apiCalls, refreshes } = counts
    print('')
    print(`lifecycle ok: ${tokenRequests} token requests, ${apiCalls} API calls, ${refreshes} refreshes`)
    if (options.once) return
    print(`\nThe demo page is at ${servers.pageUrl}\nPress Ctrl-C to stop it.`)
    await whenAborted(stop)
  } finally {
    await servers.close()
  }
}

try {
  const options = parseArguments(process.argv.slice(2), process.env)
  if (options.help) print(help)
  else await demo(options)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = error instanceof ArgumentError ? 2 : 1
}
