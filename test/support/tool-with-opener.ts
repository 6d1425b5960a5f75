import { spawn } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { runnable } from './runnable.ts'

/** A script of test/support/processes in a child process whose PATH contains only an opener (xdg-open). */
export interface ToolOptions {
  /** An empty folder. */
  readonly folder: string
  readonly script: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** What the opener writes to a file when it runs, as arguments of `printf`; `undefined`: there is no opener. */
  readonly notes: string | undefined
  /** The name of the opener. Default `xdg-open`. */
  readonly opener?: string
  /** The permissions of the opener. Default: everyone may run it. */
  readonly mode?: number
}

export function startTool({
  folder,
  script,
  args,
  env,
  notes,
  opener: name = 'xdg-open',
  mode = 0o755,
}: ToolOptions) {
  const noted = join(folder, 'noted')
  if (notes !== undefined) {
    const opener = join(folder, name)
    writeFileSync(
      opener,
      `#!/bin/sh\nprintf ${notes} > '${noted}.part' && /bin/mv '${noted}.part' '${noted}'\n`,
    )
    chmodSync(opener, mode)
  }
  const { SSH_CONNECTION: _a, SSH_TTY: _b, DISPLAY: _c, WAYLAND_DISPLAY: _d, CI: _e, ...rest } = process.env
  const child = spawn(process.execPath, [runnable(`test/support/processes/${script}.ts`), ...args], {
    env: { ...rest, ...env, PATH: folder },
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  })
  const ended = new Promise(resolve => child.on('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const said = { out: '', err: '' }
  child.stdout.on('data', text => {
    said.out += text
  })
  child.stderr.on('data', text => {
    said.err += text
  })
  return { said, ended, noted: () => (existsSync(noted) ? readFileSync(noted, 'utf8') : undefined) }
}
