import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CLI } from './grant-server.ts'
import { runnable } from './runnable.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const clean = (env: NodeJS.ProcessEnv) => {
  const { SSH_CONNECTION, SSH_TTY, DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME, CI, ...rest } = env
  const { CODESPACES, REMOTE_CONTAINERS, ...others } = rest
  return others
}

/**
 * A user's terminal in which examples/cli runs.
 * @param folder an empty folder: the tokens are in `tokens.json`, and the browser writes the address it opens to `opened`.
 */
export function cliTerminal(issuer: string, folder: string, env: Record<string, string>) {
  const tokens = join(folder, 'tokens.json')
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const opener = join(bin, 'xdg-open')
  writeFileSync(opener, `#!/bin/sh\nprintf %s "$1" > '${folder}/opened'\n`)
  chmodSync(opener, 0o755)
  /** @param isTerminal whether it runs in a pseudo-terminal, which `script` from util-linux provides. */
  const cli = (isTerminal: boolean, ...args: string[]) => {
    const command = [process.execPath, runnable('examples/cli/cli.ts'), ...args]
    const [program, ...rest] = isTerminal
      ? ['script', '-qefc', command.map(part => `'${part}'`).join(' '), '/dev/null']
      : command
    const child = spawn(program as string, rest, {
      cwd: root,
      env: {
        ...clean(process.env),
        PATH: `${bin}:${process.env.PATH}`,
        ...{ CLI_ISSUER: issuer, CLI_CLIENT_ID: CLI, CLI_API: issuer, CLI_TOKENS: tokens },
        ...env,
      },
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text.replaceAll('\r', '')
      })
    }
    const ended = new Promise<number | null>(resolve => child.on('close', resolve))
    return { child, ended, said: () => said }
  }
  return { cli, folder, tokens }
}
