import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface PlainServer {
  readonly origin: string
  close(): Promise<void>
}

/** A server in a process of its own, so that it takes no time from what is measured. */
async function startProcess(name: string): Promise<PlainServer> {
  const script = fileURLToPath(new URL(`./${name}-process.ts`, import.meta.url))
  const child = fork(script, { execArgv: ['--import', 'tsx'] })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const origin = await new Promise<string>((resolve, reject) => {
    child.once('message', message => resolve(String(message)))
    child.once('exit', code => reject(new Error(`The ${name} did not start (status ${code}).`)))
  })
  return {
    origin,
    close: () => {
      if (child.connected) child.disconnect()
      return ended
    },
  }
}

/** An API that looks at no token. */
export const startPlainApi = (): Promise<PlainServer> => startProcess('plain-api')

/** An authorization server that asks nobody and refuses nothing: its answers take the same short time always. */
export const startPlainProvider = (): Promise<PlainServer> => startProcess('plain-provider')
