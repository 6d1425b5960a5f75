/** No library: the least that an access token in IndexedDB costs. */
import { session } from '../support/stored-session.ts'
import { apiUrl, finished } from './restore-page.ts'

const opening = indexedDB.open('latchkey')
opening.onsuccess = () => {
  const key = `latchkey ${session.issuer} ${session.clientId} session`
  const reading = opening.result.transaction('latchkey').objectStore('latchkey').get(key)
  reading.onsuccess = async () => {
    const authorization = `Bearer ${reading.result.tokens.accessToken}`
    await finished(await fetch(apiUrl, { headers: { authorization } }))
  }
}
