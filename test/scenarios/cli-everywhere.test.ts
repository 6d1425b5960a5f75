import { existsSync } from 'node:fs'
import { join } from 'node:path'
import decodeQR from 'qr/decode.js'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import { cliTerminal } from '../support/cli-terminal.ts'
import { type GrantServer, startGrantServer } from '../support/grant-server.ts'
import { onPath } from '../support/programs.ts'
import { tempFolders } from '../support/temp-folder.ts'

const newFolder = tempFolders()
let server: GrantServer
beforeAll(async () => {
  server = await startGrantServer()
})
afterAll(() => server?.close())

/** A terminal of this test. What still runs in it at the end of the test is killed. */
function newTerminal(env: Record<string, string>) {
  const { cli, ...places } = cliTerminal(server.issuer, newFolder(), env)
  return {
    ...places,
    cli(isTerminal: boolean, ...args: string[]) {
      const running = cli(isTerminal, ...args)
      onTestFinished(async () => {
        running.child.kill('SIGKILL')
        await running.ended
      })
      return running
    },
  }
}

const BLOCKS = [' ', '▄', '▀', '█']
/** In a photo of the terminal, each module of a QR code has a side of so many pixels. */
const MODULE = 4

/** What a phone reads in the QR code of a terminal; `undefined` if there is none yet. */
function scanned(text: string): string | undefined {
  const rows = text.split('\n').filter(line => /^[ ▀▄█]{20,}$/.test(line))
  const width = rows[0]?.length ?? 0
  // a line of text shows two rows of modules; the block is what is light
  const lights = rows.flatMap(row => {
    const blocks = [...row].map(block => BLOCKS.indexOf(block))
    return [blocks.map(block => block & 2), blocks.map(block => block & 1)]
  })
  if (!width || lights.length < width) return undefined
  const side = { width: width * MODULE, height: lights.length * MODULE }
  const data = new Uint8Array(side.width * side.height * 4).fill(255)
  for (let y = 0; y < side.height; y++)
    for (let x = 0; x < side.width; x++)
      if (!lights[Math.floor(y / MODULE)]?.[Math.floor(x / MODULE)])
        data.fill(0, (y * side.width + x) * 4, (y * side.width + x) * 4 + 3)
  return decodeQR({ ...side, data })
}

/** Needs a pseudo-terminal, which `script` from util-linux provides. */
const inTerminal: typeof test =
  onPath('script').length && process.platform === 'linux' ? test : ((() => {}) as never)

const PATIENCE = { timeout: 15_000, interval: 50 }

inTerminal(
  'over SSH, the user opens the printed address on another device and types the code [NA07]',
  async () => {
    const { cli } = newTerminal({ SSH_TTY: '/dev/pts/1' })
    const login = cli(true, 'login')
    await expect.poll(login.said, PATIENCE).toMatch(/enter this code:\n\n {2}\w{4}-\w{4}/)
    const [, code] = /enter this code:\n\n {2}(\S+)/.exec(login.said()) ?? []
    expect(login.said().indexOf(`${server.issuer}/device`)).toBeLessThan(login.said().indexOf(code as string))
    await server.agree(`${server.issuer}/device?user_code=${code}`, 'alice')
    expect(await login.ended).toBe(0)
    expect(login.said()).toContain('You are signed in as alice.')

    const whoami = cli(false, 'whoami')
    expect(await whoami.ended).toBe(0)
    expect(whoami.said()).toBe('You are signed in as alice.\n')
    const logout = cli(false, 'logout')
    expect(await logout.ended).toBe(0)
    expect(await cli(false, 'whoami').ended).toBe(1)
  },
  60_000,
)

inTerminal(
  'in Codespaces, --qr draws the address with the code in it, and a phone that scans it signs the terminal in',
  async () => {
    const { cli } = newTerminal({ CODESPACES: 'true' })
    const login = cli(true, 'login', '--qr')
    await expect.poll(() => scanned(login.said()), PATIENCE).toBeDefined()
    const address = scanned(login.said()) as string
    const [, code] = /enter this code:\n\n {2}(\S+)/.exec(login.said()) ?? []
    expect(address).toBe(`${server.issuer}/device?user_code=${code}`)
    await server.agree(address, 'dave')
    expect(await login.ended).toBe(0)
    expect(login.said()).toContain('You are signed in as dave.')
  },
  60_000,
)

inTerminal(
  'where nothing can be opened, the user opens the address elsewhere and pastes the one at the end',
  async () => {
    // the server supports the device grant, but not for this client
    const { cli } = newTerminal({ REMOTE_CONTAINERS: 'true', CLI_CLIENT_ID: 'grants-code-only' })
    const login = cli(true, 'login')
    await expect.poll(login.said, PATIENCE).toContain('paste here')
    expect(login.said()).toMatch(/Open this address[\s\S]*\/auth\?[\s\S]*paste here/)
    const url = new URL(/http:\/\/127\.0\.0\.1:\d+\/auth\S+/.exec(login.said())?.[0] ?? '')
    login.child.stdin?.write('what is this?\n')
    await expect.poll(login.said, PATIENCE).toContain('That is not the address')
    const answer = new URL(url.searchParams.get('redirect_uri') ?? '')
    answer.search = String(
      new URLSearchParams({
        error: 'access_denied',
        state: url.searchParams.get('state') ?? '',
        iss: server.issuer,
      }),
    )
    login.child.stdin?.write(`${answer.href}\n`)
    expect(await login.ended).toBe(1)
    expect(login.said()).toContain('You refused the sign-in.')
  },
  60_000,
)

inTerminal(
  'with --no-browser nothing is opened, and an answer that reaches this machine needs no pasting',
  async () => {
    const { cli } = newTerminal({ DISPLAY: ':1', CLI_CLIENT_ID: 'grants-code-only' })
    const login = cli(true, 'login', '--no-browser')
    await expect.poll(login.said, PATIENCE).toContain('paste here')
    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\/auth\S+/.exec(login.said()) ?? []
    await createScriptedUserAgent({ userName: 'bob' })(url)
    expect(await login.ended).toBe(0)
    expect(login.said()).toContain('You are signed in as bob.')
  },
  60_000,
)

test('on a desktop the tool prints the address, then opens the browser', async () => {
  const { cli, folder } = newTerminal({ DISPLAY: ':1' })
  const login = cli(false, 'login')
  await expect.poll(() => existsSync(join(folder, 'opened')), PATIENCE).toBe(true)
  expect(login.said()).toContain(`${server.issuer}/auth?`)
  await createScriptedUserAgent({ userName: 'carol', redirectUri: undefined })(
    /http:\/\/127\.0\.0\.1:\d+\/auth\S+/.exec(login.said())?.[0] ?? '',
  )
  expect(await login.ended).toBe(0)
  expect(login.said()).toContain('You are signed in as carol.')
}, 60_000)

test('in CI a sign-in rejects immediately, and the error says what to do instead', async () => {
  const { cli } = newTerminal({ CI: 'true' })
  const began = performance.now()
  const login = cli(false, 'login')
  login.child.stdin?.end()
  expect(await login.ended).toBe(1)
  expect(login.said()).toContain('clientCredentials()')
  expect(performance.now() - began).toBeLessThan(15_000)
})

inTerminal(
  'Ctrl-C ends the program while it waits, and leaves nothing behind',
  async () => {
    const { cli, tokens } = newTerminal({ SSH_TTY: '/dev/pts/1' })
    const login = cli(true, 'login', '--device')
    await expect.poll(login.said, PATIENCE).toContain('enter this code')
    login.child.stdin?.write('\u0003')
    expect(await login.ended).not.toBe(0)
    const whoami = cli(false, 'whoami')
    expect(await whoami.ended).toBe(1)
    expect(whoami.said()).toBe('Sign in first: cli login\n')
    expect(tokens).toBeTruthy()
  },
  60_000,
)
