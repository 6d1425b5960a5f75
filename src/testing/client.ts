import type { Clock, Fetch } from '../extending.ts'
import {
  AuthorizationRequiredError,
  type CallbackResult,
  type Client,
  type ClientEvent,
  type EndReason,
  type LatchkeyError,
  type Session,
} from '../index.ts'
import { deviceClock } from './clock.ts'
import type { User } from './token-families.ts'

/** A method of a client that a test client records. */
export type RecordedMethod =
  | 'start'
  | 'signIn'
  | 'recover'
  | 'handleCallback'
  | 'fetch'
  | 'getAccessToken'
  | 'signOut'
  | 'dispose'

/** One call of a method of a test client. */
export interface RecordedCall {
  readonly method: RecordedMethod
  readonly args: readonly unknown[]
}

/** Options of `createTestClient()`. All are optional. */
export interface TestClientOptions {
  /** The initial session. Default: signed out, and nobody was signed in before. See also `signInAs()`. */
  session?: Session
  /** Answers `client.fetch`. It gets the caller's arguments, without an access token. Default: rejects and names the URL. */
  fetch?: Fetch
  /** The user that `signIn()` signs in: the subject, or the claims of the ID Token. Default `alice`. */
  user?: User
  /** How many seconds an access token lasts, more than 0. Default 300. */
  accessTokenSeconds?: number
  /** The source of time. Default: the device's clock. */
  clock?: Clock
}

/** A client without a server, for tests of components. */
export interface TestClient extends Client {
  /**
   * Signs the user in, as if they had signed in elsewhere. Calls the listeners immediately.
   * @param user the subject, or the claims of the ID Token.
   * @param scope the granted scope. Default `openid`.
   */
  signInAs(user: User, scope?: string): void
  /** Expires the access token. The next `fetch` or `getAccessToken` refreshes it. */
  expire(): void
  /**
   * Ends the session, without a call of `signOut()`.
   * @param reason default `expired`: the server no longer accepts the refresh token.
   */
  endSession(reason?: EndReason): void
  /** Makes refreshes fail, with this error in `session.trouble`. `undefined` makes them succeed again. */
  setTrouble(error: LatchkeyError | undefined): void
  /** Makes the next call of this method reject with this error. */
  failNext(method: Exclude<RecordedMethod, 'dispose'>, error: unknown): void
  /** All recorded calls, in order. */
  readonly calls: readonly RecordedCall[]
}

type SignedIn = Extract<Session, { status: 'signed-in' }>

const isSignedIn = (session: Session): session is SignedIn => session.status === 'signed-in'

/** A set of listeners. An error in one does not affect the others. */
function createListeners<T>() {
  const listeners = new Set<{ hear: (value: T) => void }>()
  return {
    add(hear: (value: T) => void) {
      const own = { hear }
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    tell(value: T) {
      for (const { hear } of [...listeners]) {
        try {
          hear(value)
        } catch (error) {
          queueMicrotask(() => {
            throw error
          })
        }
      }
    },
    clear: () => listeners.clear(),
  }
}

/** The session of a test client, with its listeners and events. */
function createTestSession(options: TestClientOptions) {
  const { clock = deviceClock, accessTokenSeconds = 300 } = options
  const changes = createListeners<Session>()
  const eventListeners = createListeners<ClientEvent>()
  const events: ClientEvent[] = []
  let session: Session = Object.freeze(options.session ?? { status: 'signed-out' })

  const emit = (body: Omit<ClientEvent, 'at'> & { type: ClientEvent['type'] }) => {
    const event = Object.freeze({ at: clock.now(), ...body }) as ClientEvent
    events.push(event)
    queueMicrotask(() => eventListeners.tell(event))
  }
  const move = (next: Session) => {
    const before = session
    session = Object.freeze(next)
    const isOther = isSignedIn(before) !== isSignedIn(next)
    if (isOther && isSignedIn(next)) emit({ type: 'session-started', subject: next.claims?.sub } as never)
    if (isOther && isSignedIn(before))
      emit({ type: 'session-ended', reason: 'reason' in next ? next.reason : 'signed_out' } as never)
    changes.tell(session)
  }
  return {
    ...{ changes, eventListeners, events, emit, move, clock },
    get session() {
      return session
    },
    expiry: () => clock.now() + accessTokenSeconds * 1000,
    signedInAs(user: User, scope = 'openid'): SignedIn {
      const now = Math.floor(clock.now() / 1000)
      const base = { iss: 'https://id.example.com', aud: 'app', iat: now, exp: now + 3600 }
      const claims = Object.freeze({ ...base, ...(typeof user === 'string' ? { sub: user } : user) })
      return {
        status: 'signed-in',
        claims,
        scope: Object.freeze(scope.split(' ').filter(Boolean)),
        accessTokenExpiresAt: clock.now() + accessTokenSeconds * 1000,
      }
    },
    dispose() {
      changes.clear()
      eventListeners.clear()
    },
  }
}

const nobody: Fetch = async input => {
  const url = typeof input === 'object' && 'url' in input ? input.url : String(input)
  throw new TypeError(`The test client has no answer for ${url}. Pass "fetch" to createTestClient().`)
}

/** Records calls, and throws the errors that the test has set for them. */
function createRecorder() {
  const calls: RecordedCall[] = []
  const failures = new Map<RecordedMethod, unknown[]>()
  return {
    calls,
    called(method: RecordedMethod, args: readonly unknown[]): void {
      calls.push({ method, args: args.filter(one => one !== undefined) })
      const waiting = failures.get(method) ?? []
      if (waiting.length > 0) throw waiting.shift()
    },
    failNext: (method: RecordedMethod, error: unknown): void =>
      void failures.set(method, [...(failures.get(method) ?? []), error]),
  }
}

type TestSession = ReturnType<typeof createTestSession>

/** Returns access tokens. Refreshes an expired one first, as a real client does before a call. */
function createTestTokens(live: TestSession): () => string {
  let refreshes = 0
  return () => {
    const { session } = live
    if (!isSignedIn(session)) {
      throw new AuthorizationRequiredError(('reason' in session && session.reason) || 'no_session')
    }
    if ((session.accessTokenExpiresAt ?? Number.POSITIVE_INFINITY) <= live.clock.now()) {
      const grantType = 'refresh_token'
      live.emit({ type: 'token-request', grantType, attempt: 1 } as never)
      if (session.trouble) throw session.trouble.error
      refreshes++
      const scope = session.scope.join(' ')
      const expiresInSeconds = (live.expiry() - live.clock.now()) / 1000
      live.emit({ type: 'token-response', grantType, scope, expiresInSeconds, rotated: true } as never)
      live.move({ ...session, accessTokenExpiresAt: live.expiry() })
    }
    return `test-access-token-${refreshes + 1}`
  }
}

/** What a test does to the session from outside the app. */
const createControls = (
  live: TestSession,
): Pick<TestClient, 'signInAs' | 'expire' | 'endSession' | 'setTrouble'> => ({
  signInAs: (who, scope) => live.move(live.signedInAs(who, scope)),
  expire() {
    const { session } = live
    if (isSignedIn(session)) live.move({ ...session, accessTokenExpiresAt: live.clock.now() })
  },
  endSession: (reason = 'expired') => live.move({ status: 'signed-out', reason }),
  setTrouble(error) {
    const { session } = live
    if (!isSignedIn(session)) return
    const { trouble: _, ...rest } = session
    live.move(error ? { ...rest, trouble: { since: live.clock.now(), error } } : rest)
  },
})

/**
 * Creates a client without a server, for tests of components: it has the session that the test sets, and records calls. It
 * needs no `fetch`, no Web Crypto and no storage, so it runs in jsdom and happy-dom. To test real token requests, use a real
 * client with `createTestServer()`.
 * @param options all are optional.
 */
export function createTestClient(options: TestClientOptions = {}): TestClient {
  const { user = 'alice', fetch: answer = nobody } = options
  const live = createTestSession(options)
  const acquire = createTestTokens(live)
  const { calls, called, failNext } = createRecorder()
  const signIn = () => {
    if (isSignedIn(live.session)) return live.session
    const before = live.session
    live.move({ status: 'signing-in', ...('reason' in before && { reason: before.reason }) })
    live.move(live.signedInAs(user))
    return live.session
  }
  return {
    calls,
    get session() {
      return live.session
    },
    async start() {
      called('start', [])
      if (live.session.status === 'starting') live.move({ status: 'signed-out' })
      return live.session
    },
    async signIn(...args) {
      called('signIn', args)
      return signIn()
    },
    async recover(...args) {
      called('recover', args)
      const { session } = live
      const reason = ('reason' in session && session.reason) || 'no_session'
      if (reason === 'signed_out' || reason === 'no_session') throw new AuthorizationRequiredError(reason)
      return signIn()
    },
    async handleCallback(url): Promise<CallbackResult> {
      called('handleCallback', [url])
      const query = new URL(url).searchParams
      if (!query.has('code') || !query.has('state')) return { handled: false }
      return { handled: true, session: signIn(), returnTo: undefined }
    },
    subscribe: live.changes.add,
    async fetch(...args) {
      called('fetch', args)
      acquire()
      return answer(...args)
    },
    async getAccessToken(...args) {
      called('getAccessToken', args)
      return acquire()
    },
    async signOut(...args) {
      called('signOut', args)
      live.move({ status: 'signed-out', reason: 'signed_out' })
    },
    events: { subscribe: live.eventListeners.add },
    explain() {
      const { session, events, clock } = live
      const reason = 'reason' in session ? session.reason : undefined
      return {
        at: clock.now(),
        context: 'test',
        session: { status: session.status, reason },
        events: events.slice(-200),
      }
    },
    dispose() {
      called('dispose', [])
      live.dispose()
    },
    ...createControls(live),
    failNext,
  }
}
