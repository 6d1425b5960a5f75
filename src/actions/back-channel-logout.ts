import { createTransport } from '../authorization/endpoint.ts'
import { createAcceptDeviation } from '../authorization/failure.ts'
import { asSigner, type LoggedOut, OLDEST_SECONDS, parseLogoutToken } from '../authorization/logout-token.ts'
import { createServer } from '../authorization/metadata.ts'
import type { Clock, Fetch, KeyValue } from '../core/ports.ts'
import { once, withTimeLimit } from '../core/waiting.ts'
import { ConfigurationError, LatchkeyError, NetworkError, ServerError } from '../errors.ts'
import { parseIssuer, type ServerChoice } from '../options.ts'
import { device } from '../platform/device.ts'
import { limited } from '../storage/limited.ts'
import { memoryKeyValue } from '../storage/memory.ts'

export type { LoggedOut } from '../authorization/logout-token.ts'
export type { KeyValue } from '../core/ports.ts'

interface CommonOptions {
  /** This service's `client_id` at the provider: the audience of its logout tokens. */
  clientId: string
  /**
   * Ends the sessions of the named user or session id in your service. latchkey may call it again for the same ones. It must
   * settle within 30 seconds.
   */
  endSessions: (who: LoggedOut) => unknown
  /** The `alg` that ID Tokens are signed with. Default: the algorithms in the provider's metadata, else RS256. */
  signingAlgorithm?: string
  /** Stores the ids of accepted tokens for 20 minutes. If several processes listen, it must be shared. Default: memory. */
  remembered?: KeyValue
  /** The function that sends all requests. Default: the global `fetch`. */
  fetch?: Fetch
  /** The source of time. Default: the device's clock. */
  clock?: Clock
  /** Origins that may be plain http although they are not loopback, such as `http://keycloak:8080` in a container: for tests only. */
  allowPlainHttpForTests?: readonly string[]
}

/** Set either `issuer`, whose metadata latchkey then discovers, or `server`, the metadata itself. */
export type BackChannelLogoutOptions = CommonOptions & ServerChoice

export interface BackChannelLogout {
  /**
   * Answers a request to the `backchannel_logout_uri` (OpenID Connect Back-Channel Logout section 2.5): 200 after the
   * sessions have ended, 400 if latchkey refused the token or `endSessions` failed. Never rejects.
   */
  handle(request: Request): Promise<Response>
  /**
   * Does the same if your code has already read the form member `logout_token`.
   * @throws ServerError for a refused token; NetworkError or StorageError if the provider may send it again; any error of
   * `endSessions`.
   */
  accept(logoutToken: string): Promise<LoggedOut>
}

/** latchkey accepts a token from OLDEST_SECONDS before its `iat` until OLDEST_SECONDS after it. */
const REMEMBER_MS = 2 * OLDEST_SECONDS * 1000
const SWEEP_MS = 60_000
const MAX_CHARS = 20_000
/** How long a provider may take to send its request, which is one small form. */
const BODY_MS = 10_000
/** How long the app may take to end the sessions. Providers do not wait longer for the response. */
const END_MS = 30_000

const endedTooLate = () =>
  new NetworkError(`endSessions() did not settle within ${END_MS / 1000} s. Send the token again.`, 'timeout')

/**
 * Receives the provider's requests to end sessions when a user signs out elsewhere (OpenID Connect Back-Channel Logout 1.0).
 * latchkey checks every logout token (section 2.6) and accepts it once.
 * @throws ConfigurationError for a wrong option.
 */
export function createBackChannelLogout(options: BackChannelLogoutOptions): BackChannelLogout {
  const { clientId, endSessions, signingAlgorithm, server: metadata } = options
  const plainHttp = new Set(options.allowPlainHttpForTests)
  const issuer = parseIssuer(options, plainHttp)
  if (!clientId || typeof endSessions !== 'function') {
    throw new ConfigurationError('createBackChannelLogout() needs "clientId" and the function "endSessions".')
  }
  const { clock = device.clock, fetch = device.fetch, remembered = memoryKeyValue() } = options
  const ids = limited(remembered, clock)
  const prefix = `latchkey logout ${issuer} `
  const transport = createTransport({ fetch, clock })
  const emit = () => {}
  const acceptDeviation = createAcceptDeviation(new Set(), emit)
  const server = createServer({
    settings: { issuer, metadata, strict: false, plainHttp },
    transport,
    clock,
    emit,
    acceptDeviation,
    watch: async () => {},
  })
  // always the same object: oauth4webapi caches the key set by it
  const asOnce = once(async () => asSigner(await server(), signingAlgorithm))

  let sweptAt = 0
  /** Stores the id and removes old ones. @returns whether the id is new. */
  const remember = async (id: string): Promise<boolean> => {
    const now = clock.now()
    let isNew = false
    await ids.update(prefix + id, stored => {
      isNew = stored === undefined
      return isNew ? now : stored
    })
    if (now - sweptAt < SWEEP_MS) return isNew
    sweptAt = now
    for (const key of await ids.keys(prefix)) {
      const isOld = (at: unknown) => typeof at === 'number' && now - at > REMEMBER_MS
      if (isOld(await ids.get(key))) await ids.update(key, at => (isOld(at) ? undefined : at))
    }
    return isNew
  }

  const accept: BackChannelLogout['accept'] = async logoutToken => {
    const refuse = (why: string) =>
      new ServerError(`The logout token was refused: ${why}. Check who sent it.`, {
        error: 'invalid_request',
      })
    if (typeof logoutToken !== 'string' || !logoutToken) throw refuse('there is none')
    if (logoutToken.length > MAX_CHARS) throw refuse('it is too long')
    const {
      id,
      issuedAt: _,
      ...who
    } = await parseLogoutToken({ clientId, transport, clock }, await asOnce(), logoutToken)
    if (!(await remember(id))) throw refuse('it was accepted before')
    try {
      await withTimeLimit(clock, END_MS, async () => endSessions(who), endedTooLate)
    } catch (error) {
      await ids.update(prefix + id, () => undefined).catch(() => {}) // the provider may send it again
      throw error
    }
    return who
  }

  return {
    accept,
    async handle(request) {
      const headers = { 'cache-control': 'no-store' }
      try {
        await accept(await logoutTokenOf(request, clock))
        return new Response(null, { status: 200, headers })
      } catch (error) {
        const description =
          error instanceof LatchkeyError ? error.message : 'The sessions could not be ended.'
        return Response.json(
          { error: 'invalid_request', error_description: description },
          { status: 400, headers },
        )
      }
    },
  }
}

/** Reads the form member `logout_token` (section 2.5). Returns '' if it is missing or repeated. */
async function logoutTokenOf(request: Request, clock: Clock): Promise<string> {
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers.get('content-type') ?? '')
  if (request.method !== 'POST' || !isForm) return ''
  const text = await readText(request, clock)
  const [logoutToken = '', ...more] = new URLSearchParams(text).getAll('logout_token')
  return more.length ? '' : logoutToken
}

/** Reads the body of a request, with a time limit because it may never end. Returns '' if it is too long. */
async function readText(request: Request, clock: Clock): Promise<string> {
  const reader = request.body?.pipeThrough(new TextDecoderStream()).getReader()
  const read = async (): Promise<string> => {
    let text = ''
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
      text += part.value
      if (text.length > 2 * MAX_CHARS) return ''
    }
    return text
  }
  const late = () =>
    new ServerError('The logout token was refused: its request did not end in time. Send it again.', {
      error: 'invalid_request',
    })
  try {
    return await withTimeLimit(clock, BODY_MS, read, late)
  } finally {
    void reader?.cancel().catch(() => {}) // not awaited: it could hang, too; after the end it does nothing
  }
}
