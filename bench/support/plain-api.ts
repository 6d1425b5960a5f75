import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface PlainApi {
  readonly origin: string
  close(): Promise<void>
}

/** An API that looks at no token, in a process of its own, so that it takes no time from what is measured. */
export async function startPlainApi(): Promise<PlainApi> {
  const script = fileURLToPath(new URL('./plain-api-process.ts', import.meta.url))
  const child = fork(script, { execArgv: ['--import', 'tsx'] })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const origin = await new Promise<string>((resolve, reject) => {
    child.once('message', message => resolve(String(message)))
    child.once('exit', code => reject(new Error(`The API did not start (status ${code}).`)))
  })
  return {
    origin,
    close: () => {
      if (child.connected) child.disconnect()
      return ended
    },
  }
}
