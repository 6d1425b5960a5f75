// A command-line tool: `login`, `me`, `logout`. Tokens are in a private file that all terminals share. If two terminals
// run at the same moment, one refreshes and the other waits for it.
import { AuthorizationRequiredError, createClient, LatchkeyError, loopback } from 'latchkey/node'

const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-cli',
  redirectUri: 'http://127.0.0.1/callback', // the default: any free port
  scope: 'openid profile offline_access',
  allowedOrigins: ['https://api.example.com'],
  userAgent: loopback({ timeoutMs: 120_000 }), // the user has two minutes
})

const commands: Record<string, () => Promise<void>> = {
  async login() {
    const session = await client.signIn()
    const claims = session.status === 'signed-in' ? session.claims : undefined
    console.log(`Signed in as ${claims?.name ?? claims?.sub}.`)
  },
  async me() {
    const response = await client.fetch('https://api.example.com/me')
    console.log(response.ok ? await response.text() : `The API answered ${response.status}.`)
  },
  async logout() {
    await client.signOut()
    console.log('Signed out.')
  },
}

const command = commands[process.argv[2] ?? 'me']
try {
  if (!command) throw new Error(`Commands: ${Object.keys(commands).join(', ')}.`)
  await command()
} catch (error) {
  if (error instanceof AuthorizationRequiredError) console.error('Sign in first: node-cli login')
  else console.error(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof LatchkeyError && error.retryable ? 75 : 1 // 75: try again later (sysexits.h)
} finally {
  client.dispose()
}
