/** Runs in the browser, bundled by sso-apps.ts: one of two apps of one provider. Tests reach it as `window.sso`. */
import { type ClientEvent, createClient } from 'latchkey'
import { frontChannelLogout } from 'latchkey/front-channel-logout'
import { sessionLimits } from 'latchkey/session-limits'
import type { SsoConfig } from './sso-apps.ts'

const content = document.querySelector<HTMLMetaElement>('meta[name=config]')?.content ?? ''
const { issuer, clientId, apiUrl, limits: options }: SsoConfig = JSON.parse(content)

const limits = options && sessionLimits(options)
const client = createClient({
  issuer,
  clientId,
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  // without offline_access: the refresh token ends with the provider's session
  scope: 'openid profile notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
  extensions: limits && [limits],
})
const events: ClientEvent[] = []
client.events.subscribe(event => events.push(event))

/** The result of a promise, in a form that a page can pass to a test. */
const outcomeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    value => value,
    (error: { reason?: string; error?: string }) => error.error ?? error.reason ?? String(error),
  )

const sso = {
  client,
  limits,
  events,
  outcomeOf,
  start: undefined as unknown,
  subject: () => (client.session.status === 'signed-in' ? client.session.claims?.sub : undefined),
  reason: () => ('reason' in client.session ? client.session.reason : undefined),
  call: () => outcomeOf(client.fetch(apiUrl).then(({ status }) => status)),
  refresh: () => outcomeOf(client.getAccessToken({ forceRefresh: true }).then(() => 'refreshed')),
  /** Everything that this origin stores, as text. */
  kept: () =>
    new Promise<string>((resolve, reject) => {
      const opening = indexedDB.open('latchkey')
      opening.onerror = () => reject(opening.error)
      opening.onsuccess = () => {
        const all = opening.result.transaction('latchkey').objectStore('latchkey').getAll()
        all.onsuccess = () => {
          opening.result.close()
          resolve(JSON.stringify([all.result, { ...localStorage }, { ...sessionStorage }]))
        }
      }
    }),
}

declare global {
  interface Window {
    sso: typeof sso
  }
}
window.sso = sso

sso.start =
  location.pathname === '/front-channel-logout'
    ? await outcomeOf(frontChannelLogout(client, location.href))
    : await outcomeOf(client.start().then(({ status }) => status))
