/** Runs in the browser in place of the page of examples/single-sign-on, which it contains. Tests reach it as `window.sso`. */
import type { ClientEvent } from 'latchkey'
import { apiUrl, client, limits, started } from '../../examples/single-sign-on/page.ts'

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

sso.start = await outcomeOf(
  started.then(found => (typeof found === 'object' && 'status' in found ? found.status : found)),
)
