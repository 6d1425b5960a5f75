// The page of both apps: it signs in without asking if the provider knows the user, and follows a sign-out elsewhere.
import { type Client, createClient, LatchkeyError, type Session } from 'latchkey'
import { frontChannelLogout } from 'latchkey/front-channel-logout'
import { sessionLimits } from 'latchkey/session-limits'
import type { AppConfig } from './servers.ts'

const content = document.querySelector<HTMLMetaElement>('meta[name=config]')?.content ?? ''
const { issuer, clientId, limits: options, ...config }: AppConfig = JSON.parse(content)

export const { apiUrl } = config
export const limits = options && sessionLimits(options)
export const client: Client = createClient({
  issuer,
  clientId,
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  // without offline_access: the refresh token ends with the provider's session
  scope: 'openid profile notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
  extensions: limits && [limits],
})

const returnTo = location.pathname === '/callback' ? '/' : location.href
onClick('sign-in', () => client.signIn({ silentFirst: true, returnTo }))
onClick('switch', () => client.signIn({ authorizationParameters: { prompt: 'login' }, returnTo }))
onClick('sign-out', () => client.signOut())
onClick('call', async () => show(`The API answered ${(await client.fetch(apiUrl)).status}.`))
client.subscribe(session => show(describe(session)))

/** What became of the page's start: the session, or the logout that the provider asked for in a frame. */
export const started =
  location.pathname === '/front-channel-logout' ? frontChannelLogout(client, location.href) : client.start()
started.then(() => show(describe(client.session)), explain)

function describe(session: Session): string {
  if (session.status === 'signed-in') return `Signed in as ${session.claims?.name ?? session.claims?.sub}.`
  if (session.status === 'signed-out') return `Signed out${session.reason ? ` (${session.reason})` : ''}.`
  return 'One moment…'
}

function show(text: string): void {
  const line = document.querySelector('#state')
  if (line) line.textContent = text
}

function explain(error: unknown): void {
  show(error instanceof LatchkeyError ? error.message : String(error))
}

function onClick(id: string, action: () => Promise<unknown>): void {
  document.querySelector(`#${id}`)?.addEventListener('click', () => void action().catch(explain))
}
