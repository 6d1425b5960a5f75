import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listen } from '../../../examples/demo/servers/listen.ts'
import { handledFetch } from '../handled-fetch.ts'
import { runnable } from '../runnable.ts'
import type { Served } from './world.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const network = fileURLToPath(new URL('network.mjs', import.meta.url))

/** Serves a double to programs in child processes, which `runProgram` starts. */
export async function serveDouble(double: Served) {
  const answer = handledFetch([...double.handlers])
  return listen(
    createServer(async (request, response) => {
      const { 'x-double-of': url, host: _host, connection: _connection, ...headers } = request.headers
      let body = ''
      for await (const part of request.setEncoding('utf8')) body += part
      const { method = 'GET' } = request
      const sent = { method, headers: headers as Record<string, string>, ...(body && { body }) }
      const {
        status,
        headers: received,
        ...answered
      } = await answer(String(url), sent).then(
        async found => ({ status: found.status, headers: found.headers, text: await found.text() }),
        error => ({ status: 599, headers: new Headers(), text: String(error) }),
      )
      response.writeHead(status, Object.fromEntries(received)).end(answered.text)
    }),
    { name: 'doubles' },
  )
}

/**
 * Runs an example as a user would, with a home folder of its own. Its requests to other hosts go to a double.
 * @param path the program's path in the repository.
 * @param approve what the user does in the browser that the program opens. @returns the callback URL.
 */
export async function runProgram(
  path: string,
  {
    folder,
    env,
    approve = () => {
      throw new Error('The program was not expected to open a browser.')
    },
  }: { folder: string; env: Readonly<Record<string, string>>; approve?(address: string): string },
): Promise<{ code: number | null; out: string; err: string; opened: number }> {
  const bin = join(folder, 'bin')
  const opened = join(folder, 'opened')
  rmSync(opened, { force: true })
  mkdirSync(bin, { recursive: true })
  const opener = join(bin, 'xdg-open')
  writeFileSync(opener, `#!/bin/sh\nprintf %s "$1" > '${opened}.part' && mv '${opened}.part' '${opened}'\n`)
  chmodSync(opener, 0o755)
  const { SSH_CONNECTION: _a, SSH_TTY: _b, CI: _c, CODESPACES: _d, ...rest } = process.env
  const child = spawn(process.execPath, ['--import', network, runnable(path)], {
    cwd: root,
    env: {
      ...rest,
      ...{ HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, XDG_STATE_HOME: folder },
      ...{ PATH: `${bin}:${process.env.PATH}`, DISPLAY: ':0' },
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', text => {
    said.out += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    said.err += text
  })
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  let isOver = false
  ended.then(() => {
    isOver = true
  })
  let times = 0
  try {
    while (!isOver) {
      if (existsSync(opened)) {
        const address = readFileSync(opened, 'utf8')
        rmSync(opened)
        times++
        // the program passes no long address to the opener: its listener redirects to it
        const redirect = await fetch(address, { redirect: 'manual' })
        await fetch(approve(redirect.headers.get('location') ?? address))
      }
      await Promise.race([ended, new Promise(resolve => setTimeout(resolve, 20))])
    }
  } finally {
    child.kill('SIGKILL') // an error of this test must not leave a program that waits for its browser
    await ended
  }
  return { code: await ended, ...said, opened: times }
}
