import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import decodeQR from 'qr/decode.js'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'
import { createClient, file, memory } from '../../src/node.ts'
import { type TerminalOptions, terminal } from '../../src/terminal.ts'
import { cliTerminal } from '../support/cli-terminal.ts'
import { CLI, type GrantServer, startGrantServer } from '../support/grant-server.ts'
import { everythingIsRequired, onPath } from '../support/programs.ts'
import { tempFolders } from '../support/temp-folder.ts'

const newFolder = tempFolders()
let server: GrantServer
beforeAll(async () => {
  server = await startGrantServer()
})
afterAll(() => server?.close())

const programs: ReturnType<ReturnType<typeof cliTerminal>['cli']>[] = []
// before `newFolder` removes the folders in which they write: the last hook runs first
afterEach(async () => {
  for (const { child, ended } of programs.splice(0)) {
    child.kill('SIGKILL')
    await ended
  }
})

/** A terminal of this test. What still runs in it at the end of the test is killed. */
function newTerminal(env: Record<string, string>) {
  const { cli, ...places } = cliTerminal(server.issuer, newFolder(), env)
  return {
    ...places,
    cli(isTerminal: boolean, ...args: string[]) {
      const running = cli(isTerminal, ...args)
      programs.push(running)
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

/** A server of this test. */
async function listening(answer: RequestListener): Promise<Listening> {
  const listener = await listen(createServer(answer), { name: 'server of a test' })
  onTestFinished(listener.close)
  return listener
}
const takenPort = () => listening((_request, response) => response.writeHead(404).end())

/** The API of the tool: it knows the user of an access token, and the notes. */
async function startApi() {
  const paths: string[] = []
  const { origin } = await listening(async ({ url = '', headers }, response) => {
    paths.push(url)
    const [, accessToken = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? []
    const known = await server.provider.AccessToken.find(accessToken)
    if (!known) return response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
    if (url === '/missing') return response.writeHead(404).end()
    response.end(`${known.accountId} asks for ${url}`)
  })
  return { origin, paths }
}

/** The authorization request that a terminal has printed. */
const addressIn = (text: string) => /http:\/\/127\.0\.0\.1:\d+\/auth\?\S+/.exec(text)?.[0] ?? ''

const hasTerminal = process.platform === 'linux' && onPath('script').length > 0
if (!hasTerminal && everythingIsRequired())
  throw new Error('These tests need a pseudo-terminal: install bsdutils, for the program "script".')
/** Needs a pseudo-terminal. Elsewhere the test does not exist, instead of being skipped. */
const inTerminal: typeof test = hasTerminal
  ? test
  : (Object.assign(() => {}, { for: () => () => {} }) as never)

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
    const url = new URL(addressIn(login.said()))
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
    await createScriptedUserAgent({ userName: 'bob' })(addressIn(login.said()))
    expect(await login.ended).toBe(0)
    expect(login.said()).toContain('You are signed in as bob.')
  },
  60_000,
)

inTerminal(
  'on a desktop the tool prints the address, then opens the browser, and calls the API with what it got',
  async () => {
    const api = await startApi()
    const { cli, folder } = newTerminal({ DISPLAY: ':1', CLI_API: api.origin })
    const login = cli(true, 'login')
    await expect.poll(() => existsSync(join(folder, 'opened')), PATIENCE).toBe(true)
    await expect.poll(login.said, PATIENCE).toContain('/auth?')
    await createScriptedUserAgent({ userName: 'carol', redirectUri: undefined })(addressIn(login.said()))
    expect(await login.ended).toBe(0)
    expect(login.said()).toContain('You are signed in as carol.')
    expect(login.said()).not.toContain('paste here')

    const me = cli(true, 'call')
    expect(await me.ended).toBe(0)
    expect(me.said()).toBe('carol asks for /me\n')
    const note = cli(false, 'call', '/notes/1')
    expect(await note.ended).toBe(0)
    expect(note.said()).toBe('carol asks for /notes/1\n')
    const missing = cli(false, 'call', '/missing')
    expect(await missing.ended).toBe(0)
    expect(missing.said()).toBe('The API answered 404.\n')

    expect(await cli(false, 'logout').ended).toBe(0)
    const after = cli(false, 'call')
    expect(await after.ended).toBe(1)
    expect(after.said()).toBe('Sign in first: cli login\n')
    expect(api.paths).toEqual(['/me', '/notes/1', '/missing'])
  },
  60_000,
)

inTerminal(
  'in WSL without wslview the user gets a code for another device',
  async () => {
    const { cli } = newTerminal({ WSL_DISTRO_NAME: 'Debian', DISPLAY: ':0' })
    const login = cli(true, 'login')
    await expect.poll(login.said, PATIENCE).toMatch(/enter this code:\n\n {2}\w{4}-\w{4}/)
  },
  60_000,
)

/** In CI nobody answers: what is left of a login that waits would end this test by its time limit. */
async function refusesInCi(isTerminal: boolean) {
  const { cli, tokens } = newTerminal({ CI: 'true', DISPLAY: ':1' })
  const login = cli(isTerminal, 'login')
  if (!isTerminal) login.child.stdin?.end()
  expect(await login.ended).toBe(1)
  expect(login.said()).toMatch(/^Nobody can sign in here: CI is set\. .* clientCredentials\(\).*\n$/)
  expect(existsSync(tokens)).toBe(false)
}
test('in CI a sign-in rejects immediately, and the error says what to do instead', () => refusesInCi(false))
inTerminal('in CI with a pseudo-terminal a sign-in rejects immediately too', () => refusesInCi(true))

inTerminal.for<[string, string, string]>([
  ['--device', CLI, 'enter this code'],
  ['--no-browser', 'grants-code-only', 'paste here'],
])('in CI a sign-in goes ahead with %s', { timeout: 60_000 }, async ([flag, clientId, asks]) => {
  const { cli } = newTerminal({ CI: 'true', CLI_CLIENT_ID: clientId })
  const login = cli(true, 'login', flag)
  await expect.poll(login.said, PATIENCE).toContain(asks)
})

inTerminal(
  'terminals that wait for a browser or for a pasted address adopt the session that another one gets',
  async () => {
    const { cli } = newTerminal({ DISPLAY: ':1', CLI_CLIENT_ID: 'grants-code-only' })
    const onDesktop = cli(true, 'login')
    const toPaste = cli(true, 'login', '--no-browser')
    await expect.poll(onDesktop.said, PATIENCE).toContain('/auth?')
    await expect.poll(toPaste.said, PATIENCE).toContain('paste here')
    const redemptions = () => server.tokenRequests.filter(form => form.has('code')).length
    const before = redemptions()

    const other = cli(true, 'login')
    await expect.poll(other.said, PATIENCE).toContain('/auth?')
    await createScriptedUserAgent({ userName: 'erin' })(addressIn(other.said()))
    for (const terminal of [other, onDesktop, toPaste]) {
      expect(await terminal.ended).toBe(0)
      expect(terminal.said()).toContain('You are signed in as erin.')
    }
    expect(redemptions()).toBe(before + 1)
  },
  60_000,
)

test('on a desktop where another program has the fixed port, the user gets a code for another device', async () => {
  const { port } = await takenPort()
  const codes: string[] = []
  const client = createClient({
    ...{ issuer: server.issuer, clientId: CLI, scope: 'openid profile', allowedOrigins: [] },
    ...{ redirectUri: `http://127.0.0.1:${port}/callback`, store: memory() },
    userAgent: terminal({ browser: true, qr: address => codes[codes.push(address) - 1] as string }),
  })
  onTestFinished(() => client.dispose())
  const signIn = client.signIn()
  await Promise.race([signIn, expect.poll(() => codes, PATIENCE).toHaveLength(1)])
  await server.agree(codes[0] as string, 'frank')
  expect(await signIn).toMatchObject({ status: 'signed-in', claims: { sub: 'frank' } })
}, 60_000)

test.for<[string, TerminalOptions, string]>([
  ['that does not have the device grant', { browser: true }, 'grants-code-only'],
  ['if the program refuses the device grant', { browser: true, deviceCode: false }, CLI],
])('a fixed port that another program has is an error at a server %s', async ([, options, clientId]) => {
  const { port } = await takenPort()
  const client = createClient({
    ...{ issuer: server.issuer, clientId, scope: 'openid', allowedOrigins: [], store: memory() },
    redirectUri: `http://127.0.0.1:${port}/callback`,
    userAgent: terminal(options),
  })
  onTestFinished(() => client.dispose())
  await expect(client.signIn()).rejects.toThrow(`Port ${port} of "redirectUri" is in use.`)
})

inTerminal.for<[string, string[], string, RegExp]>([
  ['for a code', ['--device'], CLI, /enter this code/],
  ['for the browser', [], 'grants-code-only', /\/auth\?/],
  ['for a pasted address', ['--no-browser'], 'grants-code-only', /paste here/],
])(
  'Ctrl-C ends the program while it waits %s, and leaves nothing behind',
  { timeout: 60_000 },
  async ([, flags, clientId, waits]) => {
    const temporary = newFolder()
    const { cli, folder, tokens } = newTerminal({
      ...{ DISPLAY: ':1', CLI_CLIENT_ID: clientId, TMPDIR: temporary },
    })
    const login = cli(true, 'login', ...flags)
    await expect.poll(login.said, PATIENCE).toMatch(waits)
    if (!flags.length) await expect.poll(() => existsSync(join(folder, 'opened')), PATIENCE).toBe(true)
    // it notes the server's metadata beside the sign-in
    await expect
      .poll(() => existsSync(tokens) && readFileSync(tokens, 'utf8'), PATIENCE)
      .toContain('protections')
    const [address] = /^http:.*\/auth\?.*$/m.exec(login.said()) ?? []
    login.child.stdin?.write('\u0003')
    expect(await login.ended).not.toBe(0)

    const openers = ['bin', ...(flags.length ? [] : ['opened'])]
    expect(readdirSync(folder).sort()).toEqual([...openers, 'tokens.json', 'tokens.json.lock'])
    expect(readdirSync(temporary).filter(name => name.startsWith('latchkey'))).toEqual([])
    const kept = Object.keys(JSON.parse(readFileSync(tokens, 'utf8')))
    expect(kept.map(key => key.split(' ')[3])).toEqual(['protections'])
    expect(readFileSync(tokens, 'utf8')).not.toMatch(/accessToken|refreshToken|device_?code/i)
    const { lock } = file(tokens)
    for (const name of readdirSync(`${tokens}.lock`))
      expect(await lock.run(decodeURIComponent(name), async () => 'free', 1000)).toBe('free')
    if (address) {
      const port = Number(new URL(new URL(address).searchParams.get('redirect_uri') ?? '').port)
      await (await listen(createServer(), { name: 'next listener', port })).close()
    }

    const whoami = cli(false, 'whoami')
    expect(await whoami.ended).toBe(1)
    expect(whoami.said()).toBe('Sign in first: cli login\n')
  },
)
