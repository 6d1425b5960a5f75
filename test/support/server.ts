import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { startAuthorizationServer } from '../../examples/demo/servers/authorization-server.ts'
import { demoCli, demoSpa } from '../../examples/demo/servers/demo-clients.ts'
import { startResourceServer } from '../../examples/demo/servers/resource-server.ts'
import { EXTENSION_REDIRECT_URI } from './extension-key.ts'

/** One request that the token endpoint received. */
export interface SeenTokenRequest {
  readonly grantType: string
  readonly clientId: string
  /** The redeemed code or refresh token. */
  readonly secret: string
  /** The status of the response; 0 if the connection ended without one, `undefined` while there is none. */
  status: number | undefined
  /** Whether the provider itself did not receive it. */
  faulty: boolean
}

export interface SeenRevocation {
  readonly token: string
  /** The client's `token_type_hint`. */
  readonly hint: string
}

export interface SeenApiCall {
  readonly method: string
  readonly status: number
}

/**
 * What the token endpoint does instead of answering. `hang`: it does not answer until the fault is removed; the provider
 * does not process the request if the client has left by then. `lost`: it does not answer, and the provider does not receive
 * the request. `late`: the provider processes a refresh immediately, but its response waits until the fault is removed;
 * other requests are answered.
 */
export type TokenFault = 'unavailable' | 'reset' | 'hang' | 'lost' | 'late'

/** A stored response of the provider, which can be sent more than once. */
export interface KeptAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Answers a refresh instead of the provider. `redeem` forwards the request to the provider. */
export type RefreshHandler = (
  refreshToken: string,
  response: ServerResponse,
  redeem: () => Promise<KeptAnswer>,
) => Promise<void>

export interface TestServers {
  readonly issuer: string
  readonly apiUrl: string
  /** The credentials with which another API can introspect tokens. */
  readonly introspectionCredentials: { readonly clientId: string; readonly clientSecret: string }
  /** The token requests since the last `forget()`. */
  readonly tokenRequests: readonly SeenTokenRequest[]
  readonly apiCalls: readonly SeenApiCall[]
  /** Forgets all requests. */
  forgetRequests(): void
  /** Forgets all requests, removes faults, delays and policies, and lets access tokens live for an hour again. */
  forget(): void
  /** Sets the lifetime of access tokens that are issued from now on. */
  issueFor(seconds: number): void
  /** The refresh requests among `tokenRequests`. */
  refreshes(): readonly SeenTokenRequest[]
  /** Requests that redeem a code or refresh token again. */
  replays(): readonly SeenTokenRequest[]
  fault(kind: TokenFault | undefined): void
  /** Sets the handler that answers refreshes while there is no fault. */
  answerRefreshes(handler: RefreshHandler | undefined): void
  /** Sets how long a token request takes to reach the provider, which does not process it if the client has left by then. */
  delay(ms: () => number): void
  /**
   * Sets whether the provider's pages send `Cross-Origin-Opener-Policy: same-origin`, which cuts a window off from the page
   * that opened it.
   */
  severOpeners(on: boolean): void
  /** Sets whether requests for the metadata wait for their answer. */
  holdMetadata(on: boolean): void
  /** The revocation requests. */
  readonly revocations: readonly SeenRevocation[]
  /** @returns how many access tokens were revoked. */
  revokeAccessTokensOf(subject: string): Promise<number>
  /** Every access token and refresh token that was ever issued. */
  readonly issued: ReadonlySet<string>
  /** Forgets all refresh tokens, as a server does when an administrator ends every session. */
  revokeRefreshTokens(): Promise<void>
  close(): Promise<void>
}

const HOUR_SECONDS = 3600
/** Marks a forwarded request, which is already recorded. */
const HANDED_ON = 'x-handed-on'

/** Reads the whole body and leaves it in the stream for the next reader. It is small enough for the stream's buffer. */
export const peek = (request: IncomingMessage): Promise<string> =>
  new Promise(resolve => {
    const chunks: Buffer[] = []
    const push = request.push.bind(request)
    request.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk) chunks.push(Buffer.from(chunk))
      else resolve(Buffer.concat(chunks).toString())
      return push(chunk, encoding)
    }
  })

/**
 * Starts the real oidc-provider and the notes API for pages on these origins. Public clients: `demo-spa` on the first
 * origin, `e2e-app` on the second, `demo-cli` in terminals.
 */
export async function startTestServers(demoOrigin: string, appOrigin: string): Promise<TestServers> {
  let tokenRequests: SeenTokenRequest[] = []
  let apiCalls: SeenApiCall[] = []
  let revocations: SeenRevocation[] = []
  let delayMs = () => 0
  let lifetime = HOUR_SECONDS
  let fault: TokenFault | undefined
  let handler: RefreshHandler | undefined
  let severs = false
  let release = () => {}
  let released = Promise.resolve()

  const setFault = (kind: TokenFault | undefined) => {
    release()
    fault = kind
    released = new Promise(resolve => {
      release = resolve
    })
  }

  let releaseMetadata = () => {}
  let metadataReleased = Promise.resolve()
  const holdMetadata = (on: boolean) => {
    releaseMetadata()
    if (!on) return
    metadataReleased = new Promise(resolve => {
      releaseMetadata = resolve
    })
  }

  const forgetRequests = () => {
    tokenRequests = []
    apiCalls = []
    revocations = []
  }

  const before = async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    if (severs) response.setHeader('cross-origin-opener-policy', 'same-origin')
    // an extension may call the hosts in its manifest, whatever a server's CORS policy says about its origin
    if (request.headers.origin?.startsWith('chrome-extension:')) delete request.headers.origin
    if (request.url?.includes('/.well-known/')) await metadataReleased
    if (request.method !== 'POST' || !request.url?.startsWith('/token')) return false
    if (request.headers[HANDED_ON]) return false
    const form = new URLSearchParams(await peek(request))
    if (request.url === '/token/revocation') {
      revocations.push({ token: form.get('token') ?? '', hint: form.get('token_type_hint') ?? '' })
    }
    if (request.url !== '/token') return false
    const seen: SeenTokenRequest = {
      grantType: form.get('grant_type') ?? '',
      clientId: form.get('client_id') ?? '',
      secret: form.get('refresh_token') ?? form.get('code') ?? '',
      status: undefined,
      faulty: fault !== undefined,
    }
    const gone = new Promise<void>(resolve => {
      response.once('close', () => {
        seen.status = response.writableFinished ? response.statusCode : 0
        resolve()
      })
    })
    tokenRequests.push(seen)
    if (fault === 'reset') request.socket.destroy()
    if (fault === 'unavailable') {
      response.writeHead(503, { 'access-control-allow-origin': request.headers.origin ?? '*' }).end()
    }
    if (fault === 'late') {
      seen.faulty = false
      if (seen.grantType !== 'refresh_token') return false
      const takenBack = released
      const end = response.end.bind(response) as (body?: unknown) => ServerResponse
      response.end = (body?: unknown) => {
        void takenBack.then(() => end(body))
        return response
      }
      return false
    }
    if (handler && fault === undefined && seen.grantType === 'refresh_token') {
      await handler(seen.secret, response, () => redeem(request, form))
      return true
    }
    if (fault === undefined) await wait(delayMs())
    else if (fault === 'lost') await gone
    else if (fault === 'hang') await Promise.race([gone, released])
    else return true
    seen.faulty = response.destroyed
    return response.destroyed
  }

  const redeem = async ({ headers }: IncomingMessage, body: URLSearchParams): Promise<KeptAnswer> => {
    const answer = await fetch(`${authorizationServer.issuer}/token`, {
      method: 'POST',
      headers: { origin: headers.origin ?? '', [HANDED_ON]: 'yes' },
      body,
    })
    const names = ['content-type', 'cache-control', 'access-control-allow-origin', 'vary']
    const kept = [...answer.headers].filter(([name]) => names.includes(name))
    return { status: answer.status, headers: Object.fromEntries(kept), body: await answer.text() }
  }

  const page = demoSpa(appOrigin)
  const app = {
    ...{ ...page, client_id: 'e2e-app', client_name: 'end-to-end tests' },
    redirect_uris: [...(page.redirect_uris ?? []), EXTENSION_REDIRECT_URI],
  }
  const authorizationServer = await startAuthorizationServer({
    clients: [demoSpa(demoOrigin), app, demoCli],
    accessTokenSeconds: () => lifetime,
    before,
  })
  const issued = new Set<string>()
  authorizationServer.provider.on('access_token.saved', ({ jti }) => issued.add(jti))
  authorizationServer.provider.on('refresh_token.saved', ({ jti }) => issued.add(jti))
  const resourceServer = await startResourceServer({
    issuer: authorizationServer.issuer,
    credentials: authorizationServer.introspectionCredentials,
    allowedOrigins: [demoOrigin, appOrigin],
    log: entry => {
      if (entry.type === 'response') apiCalls.push({ method: entry.method, status: entry.status })
    },
  })

  return {
    issuer: authorizationServer.issuer,
    apiUrl: `${resourceServer.origin}/notes`,
    introspectionCredentials: authorizationServer.introspectionCredentials,
    issued,
    get tokenRequests() {
      return tokenRequests
    },
    get apiCalls() {
      return apiCalls
    },
    get revocations() {
      return revocations
    },
    delay(ms) {
      delayMs = ms
    },
    severOpeners(on) {
      severs = on
    },
    holdMetadata,
    answerRefreshes(next) {
      handler = next
    },
    forgetRequests,
    forget() {
      forgetRequests()
      setFault(undefined)
      holdMetadata(false)
      handler = undefined
      severs = false
      delayMs = () => 0
      lifetime = HOUR_SECONDS
    },
    issueFor(seconds) {
      lifetime = seconds
    },
    refreshes: () => tokenRequests.filter(({ grantType }) => grantType === 'refresh_token'),
    replays() {
      const reached = tokenRequests.filter(({ faulty }) => !faulty)
      return reached.filter(
        ({ secret }, index) => reached.findIndex(other => other.secret === secret) < index,
      )
    },
    fault: setFault,
    revokeAccessTokensOf: subject => authorizationServer.revokeAccessTokensOf(subject),
    async revokeRefreshTokens() {
      const { RefreshToken } = authorizationServer.provider
      const found = await Promise.all([...issued].map(id => RefreshToken.find(id)))
      await Promise.all(found.map(refreshToken => refreshToken?.destroy()))
    },
    async close() {
      setFault(undefined)
      holdMetadata(false)
      await Promise.all([resourceServer.close(), authorizationServer.close()])
    },
  }
}
