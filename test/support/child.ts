import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, vi } from 'vitest'

/** A script of `processes/` in a process of its own. */
export interface Child {
  readonly process: ChildProcess
  readonly pid: number
  /** What it has said so far, line by line. */
  lines(): string[]
  /** Settles when it has said this. */
  says(line: string): Promise<void>
  /** Settles when it has ended, with its status; `null` when a signal ended it. */
  readonly ended: Promise<number | null>
  kill(signal: NodeJS.Signals): void
}

/**
 * Starts scripts for a test file; what still runs after a test is ended.
 * @param within a command that starts another one, for example in a PID namespace of its own.
 */
export function children(within: readonly string[] = []): (script: string, ...args: string[]) => Child {
  const started: Child[] = []
  afterEach(async () => {
    for (const child of started) if (child.process.exitCode === null) child.kill('SIGKILL')
    await Promise.all(started.splice(0).map(child => child.ended))
  })
  return (script, ...args) => {
    const path = fileURLToPath(new URL(`./processes/${script}.ts`, import.meta.url))
    const [command = '', ...rest] = [...within, process.execPath, '--import', 'tsx', path, ...args]
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
