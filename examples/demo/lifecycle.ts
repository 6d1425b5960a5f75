import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { arrowOf } from 'latchkey/inspector'
import { type Client, createClient, file, LatchkeyError, loopback } from 'latchkey/node'
import { type Exchange, LifecycleError } from './exchange.ts'
import { createScriptedUserAgent } from './scripted-user-agent.ts'
import { arrowOfUserAgent } from './server-arrows.ts'
import type { AuthorizationServerLogEntry } from './servers/authorization-server-log.ts'

export interface LifecycleOptions {
  issuer: string
  /** The URL of the notes API. */
  apiUrl: string
  exchange: Exchange
  /** The log of the authorization server, for events that the client cannot know. */
  authorizationServerLog: { subscribe(listener: (entry: AuthorizationServerLogEntry) => void): () => void }
  /** Revokes a user's access tokens, as the server's operator would. */
  revokeAccessTokensOf: (subject: string) => Promise<unknown>
  /** Stops waiting. */
  signal?: AbortSignal
}

export interface LifecycleCounts {
  readonly tokenRequests: number
  readonly apiCalls: number
  readonly refreshes: number
}

const tokenRequest = (grantType: string) => [
  `client → authorization server: token request (${grantType})`,
  'authorization server → client: token response',
]
const apiCall = (request: string, status: number) => [
  `client → resource server: ${request}`,
  'resource server → authorization server: introspection request',
  'authorization server → resource server: introspection response',
  `resource server → client: ${status}`,
]

function expectStatus(response: Response, status: number) {
  if (response.status !== status) {
    throw new LifecycleError(`The API answered ${response.status} instead of ${status}.`)
  }
}

/** Fails unless every token response brought a new refresh token. */
function watchRotation(options: LifecycleOptions) {
  const refreshTokens: string[] = []
  let accessToken = ''
  let consumed = 0
  const stop = options.authorizationServerLog.subscribe(entry => {
    if (entry.type === 'access-token-issued') accessToken = entry.accessToken
    if (entry.type === 'refresh-token-issued') refreshTokens.push(entry.refreshToken)
    if (entry.type === 'refresh-token-consumed') consumed++
  })
  return {
    stop,
    describe: (seconds = 0) =>
      `access token ${accessToken} for ${seconds} s, new refresh token ${refreshTokens.at(-1)}`,
    check: (refreshes: number, rotated: boolean) => {
      if (!rotated) throw new LifecycleError('A token response came without a new refresh token.')
      if (refreshTokens.length !== refreshes + 1 || consumed !== refreshes) {
        throw new LifecycleError(
          `${refreshes} refreshes used up ${consumed} refresh tokens and brought ${refreshTokens.length - 1} new ones.`,
        )
      }
      options.exchange.say(`refresh tokens, each used once: ${refreshTokens.join(' then ')}`)
    },
  }
}

async function expectSignedOut(call: () => Promise<Response>): Promise<string> {
  try {
    const response = await call()
    throw new LifecycleError(`A call after the sign-out was answered with ${response.status}.`)
  } catch (error) {
    if (error instanceof LatchkeyError && error.code === 'ERR_AUTHORIZATION_REQUIRED') {
      return `${error.name}, code ${error.code}`
    }
    throw error
  }
}

async function live(client: Client, options: LifecycleOptions): Promise<LifecycleCounts> {
  const { exchange, apiUrl } = options
  const rotation = watchRotation(options)
  let rotated = true
  const stop = client.events.subscribe(event => {
    const arrow = arrowOf(event)
    if (event.type !== 'token-response') return exchange.record(arrow)
    exchange.record({ ...arrow, detail: rotation.describe(event.expiresInSeconds) })
    rotated &&= event.rotated
  })
  try {
    await exchange.step(
      'the client asks for authorization',
      [
        'client → authorization server: authorization request',
        'authorization server → user agent: page',
        'user agent → authorization server: form',
        'authorization server → client: authorization response',
        ...tokenRequest('authorization_code'),
      ],
      () => client.signIn(),
    )

    await exchange.step('it calls the API', apiCall('GET /notes', 200), async () =>
      expectStatus(await client.fetch(apiUrl), 200),
    )

    await exchange.step(
      'the access token has expired',
      [...tokenRequest('refresh_token'), ...apiCall('GET /notes', 200)],
      async () => {
        const { session } = client
        const expiresAt = session.status === 'signed-in' ? (session.accessTokenExpiresAt ?? 0) : 0
        const waitMs = Math.max(0, expiresAt - Date.now()) + 100
        exchange.say(`waiting ${(waitMs / 1000).toFixed(1)} s for the access token to expire`)
        await sleep(waitMs, undefined, { signal: options.signal })
        expectStatus(await client.fetch(apiUrl), 200)
      },
    )

    await exchange.step(
      'the server has revoked the access token',
      [
        'authorization server → authorization server: access token revoked',
        ...apiCall('GET /notes', 401),
        ...tokenRequest('refresh_token'),
        ...apiCall('GET /notes', 200),
      ],
      async () => {
        const { session } = client
        const subject = session.status === 'signed-in' ? session.claims?.sub : undefined
        await options.revokeAccessTokensOf(subject ?? '')
        expectStatus(await client.fetch(apiUrl), 200)
      },
    )

    await exchange.step('the scope is missing', apiCall('POST /notes', 403), async () => {
      const headers = { 'content-type': 'application/json' }
      const body = JSON.stringify({ text: 'Not allowed' })
      expectStatus(await client.fetch(apiUrl, { method: 'POST', headers, body }), 403)
    })

    const refreshes = exchange.count('token request (refresh_token)')
    rotation.check(refreshes, rotated)

    await exchange.step(
      'the user signs out',
      [
        'client → client: session ended',
        'client → authorization server: revocation request',
        'authorization server → client: revocation response',
      ],
      () => client.signOut(),
    )

    await exchange.step('a call after that is refused by the client itself', [], async () => {
      exchange.say(`client.fetch rejects: ${await expectSignedOut(() => client.fetch(apiUrl))}`)
    })

    return {
      tokenRequests: exchange.count('token request'),
      apiCalls: exchange.count('GET ', 'POST '),
      refreshes,
    }
  } finally {
    stop()
    rotation.stop()
  }
}

/**
 * Runs the whole exchange once, with a client for Node and real servers.
 * @throws LifecycleError that names the missing arrow.
 */
export async function runLifecycle(options: LifecycleOptions): Promise<LifecycleCounts> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-demo-'))
  const open = createScriptedUserAgent({
    userName: 'ada',
    step: step => options.exchange.record(arrowOfUserAgent(step)),
  })
  const client = createClient({
    issuer: options.issuer,
    clientId: 'demo-cli',
    redirectUri: 'http://127.0.0.1/callback',
    scope: 'openid profile offline_access notes:read',
    allowedOrigins: [new URL(options.apiUrl).origin],
    store: file(join(folder, 'session.json')),
    userAgent: loopback({ open }),
  })
  try {
    return await live(client, options)
  } finally {
    client.dispose()
    await rm(folder, { recursive: true, force: true })
  }
}
