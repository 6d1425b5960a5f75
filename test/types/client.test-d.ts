// Checked by `npm run types`: if a line compiles that should not, tsc reports an unused @ts-expect-error.
import {
  type Client,
  type ClientEvent,
  type ClientOptions,
  createClient,
  indexedDb,
  LatchkeyError,
  popup,
  type ServerMetadata,
  type Session,
  type Store,
} from 'latchkey'
import { createKy } from 'latchkey/ky'
import { createClient as createNodeClient } from 'latchkey/node'
import { sealed } from 'latchkey/sealed'
import { userInfo } from 'latchkey/userinfo'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_T extends true>(): void => undefined

declare const server: ServerMetadata
declare const client: Client
const needed = { clientId: 'app', redirectUri: '/callback', allowedOrigins: ['https://api.example.com'] }

// The metadata comes from one of two options.
createClient({ ...needed, issuer: 'https://id.example.com' })
createClient({ ...needed, server })
// @ts-expect-error: neither of them
createClient(needed)
// @ts-expect-error: both of them
createClient({ ...needed, issuer: 'https://id.example.com', server })

// What has no sensible default is required.
// @ts-expect-error: no client id
createClient({ issuer: 'https://id.example.com', redirectUri: '/', allowedOrigins: [] })
// @ts-expect-error: no redirect URI
createClient({ issuer: 'https://id.example.com', clientId: 'app', allowedOrigins: [] })
// @ts-expect-error: no allowed origins
createClient({ issuer: 'https://id.example.com', clientId: 'app', redirectUri: '/' })
// @ts-expect-error: one origin in place of a list
createClient({ ...needed, issuer: 'https://id.example.com', allowedOrigins: 'https://api.example.com' })
// @ts-expect-error: an option that does not exist
createClient({ ...needed, issuer: 'https://id.example.com', cacheLocation: 'memory' })
// Members that the server's metadata lacks. Their issuer is the option's.
createClient({
  ...needed,
  issuer: 'https://id.example.com',
  server: { end_session_endpoint: 'https://id.example.com/out' },
})
// @ts-expect-error: an endpoint that is no text
createClient({ ...needed, issuer: 'https://id.example.com', server: { end_session_endpoint: 1 } })
createNodeClient({ issuer: 'https://id.example.com', clientId: 'cli', allowedOrigins: [] })

// Options may be read-only and built beforehand.
const options = {
  ...needed,
  issuer: 'https://id.example.com',
  scope: ['openid', 'notes'],
} as const satisfies ClientOptions
createClient(options)

// The client's fetch can be used wherever fetch is expected.
holds<Equal<Client['fetch'], typeof globalThis.fetch>>()
createKy(client, { prefix: 'https://api.example.com' })
createKy({ fetch: client.fetch })

// A sealed store is a store.
export const sealedStore: Store = sealed(indexedDb({ database: 'app' }))
// @ts-expect-error: a place for records alone
sealed(indexedDb().keyValue)

// A session is a snapshot: narrowed by its status, never written.
holds<Equal<Session['status'], 'starting' | 'signed-out' | 'signing-in' | 'signed-in' | 'signing-out'>>()
export function nameOf(session: Session): string | undefined {
  // @ts-expect-error: claims are there only after sign-in
  session.claims
  // @ts-expect-error: read-only
  if (session.status === 'signed-in') session.scope.push('admin')
  return session.status === 'signed-in' ? session.claims?.sub : undefined
}
export function signOutByHand(session: Session): void {
  // @ts-expect-error: read-only
  session.status = 'signed-out'
}
// @ts-expect-error: read-only
client.session = { status: 'signed-out' }

// The standard claims have types, as a page shows them [F4.9]. Others are unknown.
export function greeting(session: Session): string | undefined {
  if (session.status !== 'signed-in') return undefined
  if (!session.claims) return undefined
  const { name, email_verified, auth_time, roles } = session.claims
  holds<Equal<typeof name, string | undefined>>()
  holds<Equal<typeof email_verified, boolean | undefined>>()
  holds<Equal<typeof auth_time, number | undefined>>()
  holds<Equal<typeof roles, unknown>>()
  return name ?? session.claims.preferred_username
}
export const emailOf = async (): Promise<string | undefined> => (await userInfo(client)).email

// An app can implement a client itself, for example for its tests [F4.6].
export class FakeClient implements Client {
  readonly session: Session = { status: 'signed-out' }
  readonly events = { subscribe: () => () => {} }
  fetch = globalThis.fetch
  start = async () => this.session
  signIn = async () => this.session
  recover = async () => this.session
  handleCallback = async () => ({ handled: false }) as const
  subscribe = () => () => {}
  getAccessToken = async () => 'access token'
  signOut = async () => {}
  explain = () => ({ at: 0, context: 'fake', session: { status: 'signed-out' }, events: [] })
  dispose() {}
}

// Subscribing returns a function that unsubscribes.
holds<Equal<ReturnType<Client['subscribe']>, () => void>>()
client.events.subscribe((event: ClientEvent) => {
  if (event.type === 'token-response') event.rotated satisfies boolean
  // @ts-expect-error: no event has a token
  event.accessToken
})

// A callback for another client has no session.
const result = await client.handleCallback('https://app.example.com/callback')
// @ts-expect-error: only where it was handled
result.session
if (result.handled) result.session satisfies Session

client.signIn({ returnTo: '/notes', userAgent: popup() }) satisfies Promise<Session>
// @ts-expect-error: a URL, not an object
client.signIn({ returnTo: new URL('https://app.example.com') })

// Codes are a closed list.
export function advise(error: unknown): string {
  if (!(error instanceof LatchkeyError)) return 'not ours'
  // @ts-expect-error: no such code
  if (error.code === 'ERR_SOMETHING') return 'never'
  return error.retryable ? 'later' : error.code
}

// A store cannot leave out its lock.
// @ts-expect-error: no lock, no channel
export const halfStore: Store = { name: 'half', keyValue: {} as Store['keyValue'] }
