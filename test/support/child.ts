import { type ChildProcess, spawn } from 'node:child_process'
import { afterEach, expect, vi } from 'vitest'
import { runnable } from './runnable.ts'

/** A script of `processes/` that runs in a child process. */
export interface Child {
  readonly process: ChildProcess
  readonly pid: number
  /** The lines that it has printed so far. */
  lines(): string[]
  /** Resolves when it has printed this line. */
  says(line: string): Promise<void>
  /** Resolves with its exit status; `null` if a signal ended it. */
  readonly ended: Promise<number | null>
  kill(signal: NodeJS.Signals): void
}

/**
 * Starts scripts for a test file, and ends those that still run after a test.
 * @param within a command that starts another command, for example in a new PID namespace.
 */
export function children(within: readonly string[] = []): (script: string, ...args: string[]) => Child {
  const started: Child[] = []
  afterEach(async () => {
    for (const child of started) if (child.process.exitCode === null) child.kill('SIGKILL')
    await Promise.all(started.splice(0).map(child => child.ended))
  })
  return (script, ...args) => {
    const program = runnable(`test/support/processes/${script}.ts`)
    const [command = '', ...rest] = [...within, process.execPath, program, ...args]
    const own = spawn(command, rest, {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    let said = ''
    own.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const lines = () => said.split('\n').filter(Boolean)
    const child: Child = {
      process: own,
      pid: own.pid as number,
      lines,
      says: line => vi.waitFor(() => expect(lines()).toContain(line), { timeout: 60_000, interval: 5 }),
      ended: new Promise(resolve => own.once('close', resolve)),
      kill: signal => void own.kill(signal),
    }
    started.push(child)
    return child
  }
}
