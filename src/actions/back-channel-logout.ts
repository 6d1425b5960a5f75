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
  /** The `client_id` that the provider knows this service by: what logout tokens are for. */
  clientId: string
  /**
   * Ends the sessions that are meant, in whatever way this service keeps them. May be called again for the same ones, and
   * has 30 seconds to settle.
   */
  endSessions: (who: LoggedOut) => unknown
  /** The `alg` that ID Tokens are signed with. Default: those that the provider announces, else RS256. */
  signingAlgorithm?: string
  /** Where the ids of accepted tokens are remembered for 20 minutes: shared, if several processes listen. Default: memory. */
  remembered?: KeyValue
  /** What requests are sent with. Default: the global `fetch`. */
  fetch?: Fetch
  /** Default: the device's. */
  clock?: Clock
}

/** Either `issuer`, whose metadata is then discovered, or `server`, which is that metadata. */
export type BackChannelLogoutOptions = CommonOptions & ServerChoice

export interface BackChannelLogout {
  /**
   * Answers a request to the `backchannel_logout_uri` (section 2.5): 200 when the sessions are ended, 400 when the token
   * was refused or they could not be ended. Never rejects.
   */
  handle(request: Request): Promise<Response>
  /**
   * The same for who has read the form member `logout_token` already.
   * @throws ServerError for a token that is refused; NetworkError or StorageError when it may be sent again; what
   * `endSessions` throws.
   */
  accept(logoutToken: string): Promise<LoggedOut>
}

/** Beyond the age at which a token is refused, in either direction. */
const REMEMBER_MS = 2 * OLDEST_SECONDS * 1000
const SWEEP_MS = 60_000
const MAX_CHARS = 20_000
/** How long a provider may take to send its request: it is one form. */
const BODY_MS = 10_000
/** How long the app may take to end the sessions: no provider waits longer for the answer. */
const END_MS = 30_000

const endedTooLate = () =>
  new NetworkError(`endSessions() did not settle within ${END_MS / 1000} s. Send the token again.`, 'timeout')

/**
 * For a service that the provider tells when a user signs out elsewhere (OpenID Connect Back-Channel Logout 1.0). Every
 * logout token is checked as section 2.6 asks, and accepted once.
 * @throws ConfigurationError when an option is wrong.
 */
export function createBackChannelLogout(options: BackChannelLogoutOptions): BackChannelLogout {
  const { clientId, endSessions, signingAlgorithm, server: metadata } = options
  const issuer = parseIssuer(options)
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
    settings: { issuer, metadata, strict: false },
    transport,
    clock,
    emit,
    acceptDeviation,
    watch: async () => {},
  })
  // the same object each time, because its key set is remembered with it
  const asOnce = once(async () => asSigner(await server(), signingAlgorithm))

  let sweptAt = 0
  /** @returns whether nobody has accepted a token of this id before. */
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
      new ServerError(`The logout token was refused: ${why}.`, { error: 'invalid_request' })
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

/** The one form member that counts (section 2.5). */
async function logoutTokenOf(request: Request, clock: Clock): Promise<string> {
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers.get('content-type') ?? '')
  if (request.method !== 'POST' || !isForm) return ''
  const text = await readText(request, clock)
  const [logoutToken = '', ...more] = new URLSearchParams(text).getAll('logout_token')
  return more.length ? '' : logoutToken
}

/** The body of a request, or nothing where it is too long; it may also never end. */
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
    new ServerError('The logout token was refused: its request did not end in time.', {
      error: 'invalid_request',
    })
  try {
    return await withTimeLimit(clock, BODY_MS, read, late)
  } finally {
    void reader?.cancel().catch(() => {}) // not waited for either; harmless at the end
  }
}
