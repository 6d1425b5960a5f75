/** Stores one session for each library of restore.ts, as its own documentation has it stored. */
import { indexedDb } from 'latchkey'
import { User, WebStorageStateStore } from 'oidc-client-ts'
import { session, storeSession } from '../support/stored-session.ts'

const { issuer, clientId, accessToken, refreshToken } = session
const expiresAt = Math.floor(Date.now() / 1000) + 3600
const profile = { iss: issuer, sub: 'alice', aud: clientId, iat: expiresAt - 3600, exp: expiresAt }
const user = new User({
  access_token: accessToken,
  refresh_token: refreshToken,
  token_type: 'Bearer',
  scope: 'openid',
  expires_at: expiresAt,
  profile,
})

export const stored = Promise.all([
  storeSession(indexedDb()),
  new WebStorageStateStore({ store: localStorage }).set(`user:${issuer}:${clientId}`, user.toStorageString()),
  localStorage.setItem('tokens', JSON.stringify({ accessToken, refreshToken, expiresAt: expiresAt * 1000 })),
])
document.title = 'storing'
void stored.then(() => {
  document.title = 'stored'
})
