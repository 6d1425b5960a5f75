import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { runnable } from './runnable.ts'

/** The arguments of a terminal; see processes/terminal.ts. */
export interface TerminalConfig {
  readonly issuer: string
  readonly apiUrl: string
  /** The file with the tokens. */
  readonly path: string
  /** The shortest and longest time of a write to the disk. */
  readonly diskMs: readonly [number, number]
  /** The shortest and longest pause between two calls. */
  readonly pauseMs: readonly [number, number]
  /** The value of the header `x-terminal` in its token requests. */
  readonly name?: string
  /** Whether it reports the client's events and its writes. */
  readonly isWatched?: boolean
}

/** Whether the terminal waits for the lock, holds it, or does neither. */
export type Phase = 'works' | 'waits' | 'holds'

export type TerminalNews =
  | { readonly type: 'phase'; readonly phase: Phase }
  /** The terminal wants to send a token request, and waits for permission. */
  | { readonly type: 'asks' }
  /** The tokens of a token request are on the disk, or it has failed. */
  | { readonly type: 'over' }
  /** With `isWatched`: what the terminal did, and when. */
  | { readonly type: 'note'; readonly at: number; readonly text: string }
  | { readonly type: 'call'; readonly outcome: number | string; readonly ms: number }

export type TerminalOrder = 'send' | 'stop'

/** A process that calls the API. */
export interface Terminal {
  readonly pid: number
  readonly phase: Phase
  /** Whether it may send a token request, or has not yet stored the response. Do not kill it then. */
  readonly isInTokenRequest: boolean
  readonly calls: readonly { readonly outcome: number | string; readonly ms: number }[]
  /** Ends it with SIGKILL. */
  kill(): Promise<void>
  /** Lets it finish its call and exit. @returns its exit code. */
  stop(): Promise<number | null>
}

/**
 * Starts a terminal.
 * @param ask decides whether a terminal may send its token request.
 * @param tell receives all messages of the terminal.
 * @param within a command that starts another command, for example in another PID namespace.
 */
export function startTerminal(
  config: TerminalConfig,
  ask: (terminal: Terminal) => boolean,
  tell: (news: TerminalNews) => void = () => {},
  [command = process.execPath, ...rest]: readonly string[] = [],
): Terminal {
  // without the arguments that the test runner passed to this process
  const child: ChildProcess = fork(runnable('test/support/processes/terminal.ts'), [JSON.stringify(config)], {
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
