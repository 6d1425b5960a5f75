import { copyFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'
import { createClient, file, loopback } from '../../src/node.ts'
import { runCommand } from '../support/command.ts'
import { startTestServers, type TestServers } from '../support/server.ts'
import { tempFolders } from '../support/temp-folder.ts'

const { app } = inject('packed')
const program = join(app, 'program.mjs')
const tempFolder = tempFolders()

let servers: TestServers
let redirector: Listening
let foreign: Listening
const arrived = { redirector: [] as IncomingHttpHeaders[], foreign: [] as IncomingHttpHeaders[] }

beforeAll(async () => {
  copyFileSync(fileURLToPath(new URL('./program.mjs', import.meta.url)), program)
  servers = await startTestServers('http://127.0.0.1:1', 'http://127.0.0.1:2')
  foreign = await listen(
    createServer((request, response) => {
      arrived.foreign.push(request.headers)
      response.end('somebody else')
    }),
    { name: 'foreign server' },
  )
  redirector = await listen(
    createServer((request, response) => {
      arrived.redirector.push(request.headers)
      const location = `${foreign.origin}/from${request.url}`
      response.writeHead(Number(request.url?.slice(1)), { location }).end()
    }),
    { name: 'redirecting API' },
  )
})
afterAll(() => Promise.all([servers, redirector, foreign].map(server => server?.close())))

/** A file with the session of a user whose access token was revoked. */
async function signedInFile(): Promise<string> {
  const path = join(tempFolder(), 'tokens.json')
  const client = createClient({
    issuer: servers.issuer,
    clientId: 'demo-cli',
    scope: 'openid offline_access notes:read',
    allowedOrigins: [],
    store: file(path),
    userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
  })
  await client.signIn()
  client.dispose()
  await servers.revokeAccessTokensOf('alice')
  return path
}

test.for(inject('runtimes').map(runtime => [runtime.name, runtime] as const))(
  'on %s a stored session is refreshed and used, no redirect carries the token, and the process ends',
  async ([, { program: runtime, args }]) => {
    arrived.redirector.length = arrived.foreign.length = 0
    const path = await signedInFile()
    const config = { issuer: servers.issuer, apiUrl: servers.apiUrl, redirectorUrl: redirector.origin, path }
    const { code, timedOut, output } = await runCommand(runtime, [...args, program, JSON.stringify(config)], {
      cwd: app,
      timeoutMs: 30_000,
      env: { NODE_OPTIONS: '' },
    })
    expect(output.trim().split('\n')).toHaveLength(1) // no warning either
    expect({ code, timedOut, ...JSON.parse(output) }).toEqual({
      code: 0,
      timedOut: false,
      restored: 'signed-in',
      calls: Array(10).fill(200),
      redirected: Array(10).fill('somebody else'),
      byRequest: 200,
      empty: 'signed-out',
      refreshes: 1,
    })
    expect(arrived.redirector.map(({ authorization }) => Boolean(authorization))).toEqual(
      Array(10).fill(true),
    )
    expect(arrived.foreign.map(({ authorization }) => authorization)).toEqual(Array(10).fill(undefined))
  },
)
