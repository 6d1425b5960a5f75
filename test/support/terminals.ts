import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** What a terminal is started with; see processes/terminal.ts. */
export interface TerminalConfig {
  readonly issuer: string
  readonly apiUrl: string
  /** Of the file that holds the tokens. */
  readonly path: string
  /** How long the disk takes for a write: from, to. */
  readonly diskMs: readonly [number, number]
  /** Between two calls: from, to. */
  readonly pauseMs: readonly [number, number]
  /** Goes with its token requests, in the header `x-terminal`. */
  readonly name?: string
  /** Whether it reports the client's events and its writes. */
  readonly isWatched?: boolean
}

/** What it is about: a call or nothing, waiting for the lock, or holding it. */
export type Phase = 'works' | 'waits' | 'holds'

export type TerminalNews =
  | { readonly type: 'phase'; readonly phase: Phase }
  /** It would like to send a token request, and waits for the word. */
  | { readonly type: 'asks' }
  /** What a token request brought is on the disk, or it brought nothing. */
  | { readonly type: 'over' }
  /** Where `isWatched`: what it did, and when. */
  | { readonly type: 'note'; readonly at: number; readonly text: string }
  | { readonly type: 'call'; readonly outcome: number | string; readonly ms: number }

export type TerminalOrder = 'send' | 'stop'

/** A process that calls the API. */
export interface Terminal {
  readonly pid: number
  readonly phase: Phase
  /** From the word to send a token request until what it brought is stored: not to be killed in here. */
  readonly isInTokenRequest: boolean
  readonly calls: readonly { readonly outcome: number | string; readonly ms: number }[]
  /** Ends it by SIGKILL. */
  kill(): Promise<void>
  /** Lets it finish its call and end by itself. @returns its exit code. */
  stop(): Promise<number | null>
}

/** Bundles the script once, so that many processes start fast. @returns its path. */
export async function bundleTerminal(folder: string): Promise<string> {
  const outfile = join(folder, 'terminal.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('./processes/terminal.ts', import.meta.url))],
    outfile,
    bundle: true,
    format: 'esm',
    target: 'node20',
    platform: 'node',
    logLevel: 'error',
  })
  return outfile
}

/**
 * @param ask decides whether a terminal that would like to send a token request gets the word.
 * @param tell hears all that it tells.
 * @param within a command that starts another one, for example in another PID namespace.
 */
export function startTerminal(
  script: string,
  config: TerminalConfig,
  ask: (terminal: Terminal) => boolean,
  tell: (news: TerminalNews) => void = () => {},
  [command = process.execPath, ...rest]: readonly string[] = [],
): Terminal {
  // a process of its own, without what the test runner gave this one
  const child: ChildProcess = fork(script, [JSON.stringify(config)], {
    execPath: command,
    execArgv: command === process.execPath ? [] : [...rest, process.execPath],
  })
  const ended = once(child, 'exit') as Promise<[number | null]>
  const calls: { outcome: number | string; ms: number }[] = []
  let phase: Phase = 'works'
  let isInTokenRequest = false

  const terminal: Terminal = {
    pid: child.pid as number,
    get phase() {
      return phase
    },
    get isInTokenRequest() {
      return isInTokenRequest
    },
    calls,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async stop() {
      if (child.connected) child.send('stop' satisfies TerminalOrder)
      const [code] = await ended
      return code
    },
  }

  child.on('message', (news: TerminalNews) => {
    if (news.type === 'phase') phase = news.phase
    if (news.type === 'call') calls.push(news)
    if (news.type === 'over') isInTokenRequest = false
    tell(news)
    if (news.type !== 'asks' || !ask(terminal)) return
    isInTokenRequest = true
    child.send('send' satisfies TerminalOrder)
  })
  return terminal
}
