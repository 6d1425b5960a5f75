import { parseArgs } from 'node:util'

export interface DemoArguments {
  readonly help: boolean
  readonly once: boolean
  readonly authorizationServerPort: number
  readonly apiPort: number
  readonly pagePort: number
}

/** A flag or a variable has a wrong value. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError'
}

export const help = `Usage: npm start [-- options]

Starts an authorization server, a resource server and a demo page on 127.0.0.1. Runs the OAuth exchange once in this
terminal, then serves the page until you press Ctrl-C.

  --once               stop after the terminal part; exit status 0 only if every arrow was seen
  --as-port <number>   port of the authorization server   (or LATCHKEY_AS_PORT; default: any free port)
  --api-port <number>  port of the resource server        (or LATCHKEY_API_PORT; default: any free port)
  --page-port <number> port of the demo page              (or LATCHKEY_PAGE_PORT; default: any free port)
  --help               print this text
`

function portOf(flag: string | undefined, name: string, variable: string, env: NodeJS.ProcessEnv): number {
  const text = flag ?? env[variable] ?? '0'
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text)
  throw new ArgumentError(
    `${flag === undefined ? variable : name} must be a port from 0 to 65535; got "${text}".`,
  )
}

/** @throws ArgumentError that names the wrong value. */
export function parseArguments(args: string[], env: NodeJS.ProcessEnv): DemoArguments {
  try {
    const { values } = parseArgs({
      args,
      options: {
        help: { type: 'boolean', default: false },
        once: { type: 'boolean', default: false },
        'as-port': { type: 'string' },
        'api-port': { type: 'string' },
        'page-port': { type: 'string' },
      },
    })
    return {
      help: values.help,
      once: values.once,
      authorizationServerPort: portOf(values['as-port'], '--as-port', 'LATCHKEY_AS_PORT', env),
      apiPort: portOf(values['api-port'], '--api-port', 'LATCHKEY_API_PORT', env),
      pagePort: portOf(values['page-port'], '--page-port', 'LATCHKEY_PAGE_PORT', env),
    }
  } catch (error) {
    if (error instanceof ArgumentError) throw error
    const [sentence = ''] = String(error instanceof Error ? error.message : error).split('\n')
    throw new ArgumentError(`${sentence.split('. ')[0]}. Try \`npm start -- --help\`.`, { cause: error })
  }
}
