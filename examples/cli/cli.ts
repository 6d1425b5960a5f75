// A command-line tool that signs in everywhere: `login`, `whoami`, `call`, `logout`. On a desktop, `login` opens the browser.
// Over SSH and in containers it shows a code for another device, or an address to open and to paste back. `login --device`
// and `login --no-browser` choose; `--qr` draws the address for a phone. All terminals share the tokens, which are in a
// private file.
import { parseArgs } from 'node:util'
import { AuthorizationRequiredError, CallbackError, createClient, file, LatchkeyError } from 'latchkey/node'
import { terminal } from 'latchkey/terminal'
import { renderUnicodeCompact } from 'uqr'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { device: { type: 'boolean' }, 'no-browser': { type: 'boolean' }, qr: { type: 'boolean' } },
})
const { CLI_ISSUER, CLI_CLIENT_ID, CLI_API, CLI_TOKENS } = process.env
const api = CLI_API ?? 'https://api.example.com'

const client = createClient({
  issuer: CLI_ISSUER ?? 'https://id.example.com',
  clientId: CLI_CLIENT_ID ?? 'my-cli',
  scope: 'openid profile offline_access',
  allowedOrigins: [api],
  ...(CLI_TOKENS && { store: file(CLI_TOKENS) }), // left out: a file in the user's own folder
  userAgent: terminal({
    ...(values.device && { deviceCode: true }),
    ...(values['no-browser'] && { browser: false }),
    ...(values.qr && { qr: renderUnicodeCompact }),
  }),
})

const commands: Record<string, () => Promise<void>> = {
  async login() {
    await client.signIn()
    await commands.whoami?.()
  },
  async whoami() {
    const session = await client.start()
    if (session.status !== 'signed-in') throw new AuthorizationRequiredError('no_session')
    console.log(`You are signed in as ${session.claims?.name ?? session.claims?.sub}.`)
  },
  async call() {
    const response = await client.fetch(new URL(positionals[1] ?? '/me', api))
    console.log(response.ok ? await response.text() : `The API answered ${response.status}.`)
  },
  async logout() {
    await client.signOut()
    console.log('You are signed out.')
  },
}

const command = commands[positionals[0] ?? 'whoami']
try {
  if (!command) throw new Error(`Commands: ${Object.keys(commands).join(', ')}.`)
  await command()
} catch (error) {
  if (error instanceof AuthorizationRequiredError) console.error('Sign in first: cli login')
  else if (error instanceof CallbackError && error.error === 'access_denied')
    console.error('You refused the sign-in.')
  else console.error(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof LatchkeyError && error.retryable ? 75 : 1 // 75: try again later (sysexits.h)
} finally {
  client.dispose()
}
