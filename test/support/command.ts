import { type ChildProcess, spawn } from 'node:child_process'

export interface CommandResult {
  /** The exit status; 1 if a signal or the time limit ended it. */
  readonly code: number
  readonly timedOut: boolean
  /** The output of both streams; empty with `show`. */
  readonly output: string
}

export interface CommandOptions {
  readonly cwd?: string
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** `true` prints the output here instead of collecting it. */
  readonly show?: boolean
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

// ends the whole process group, because npm and Playwright start children that survive a signal to their parent
function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid) process.kill(-child.pid, signal)
  } catch {
    // it has already ended
  }
}

/** Runs a program to its end, within a time limit, without stdin. Never rejects. */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return new Promise(resolve => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', options.show ? 'inherit' : 'pipe', options.show ? 'inherit' : 'pipe'],
      detached: true,
    })
    let output = ''
    let timedOut = false
    const collect = (chunk: Buffer) => {
      output += chunk
    }
    child.stdout?.on('data', collect)
    child.stderr?.on('data', collect)
    // the terminal sends its signals only to this process, because the child is in another group
    const stop = () => {
      endGroup(child, 'SIGTERM')
      process.exit(130)
    }
    for (const signal of SIGNALS) process.on(signal, stop)

    const limit = setTimeout(() => {
      timedOut = true
      endGroup(child, 'SIGTERM')
      setTimeout(() => endGroup(child, 'SIGKILL'), 5000).unref()
    }, options.timeoutMs)
    const finish = (code: number) => {
      clearTimeout(limit)
      for (const signal of SIGNALS) process.off(signal, stop)
      resolve({ code, timedOut, output })
    }
    child.on('error', error => {
      output += error.message
      finish(1)
    })
    child.on('close', code => finish(timedOut ? 1 : (code ?? 1)))
  })
}
