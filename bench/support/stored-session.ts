import type { Store } from '../../src/core/ports.ts'
import type { SessionRecord } from '../../src/core/session.ts'

/** A session for what is measured without a sign-in. */
export const session = {
  issuer: 'http://127.0.0.1:9/', // nothing listens there, and nothing has to
  clientId: 'bench',
  accessToken: 'an-access-token-of-43-characters-as-they-come',
  refreshToken: 'a-refresh-token',
  /** Nobody checks it again: that there is one says that a refresh will bring another. */
  idToken: 'a.b.c',
} as const

const HOUR_MS = 3_600_000

/** Puts it where a client of this issuer finds it; fresh for an hour unless `expiresAt` says otherwise. */
export async function storeSession(
  store: Store,
  issuer: string = session.issuer,
  expiresAt = Date.now() + HOUR_MS,
  clientId: string = session.clientId,
) {
  const { accessToken, refreshToken, idToken } = session
  const now = Date.now()
  const seconds = Math.floor(now / 1000)
  const claims = { iss: issuer, sub: 'alice', aud: clientId, iat: seconds, exp: seconds + 3600 }
  const record: SessionRecord = {
    schema: 1,
    sessionId: 'bench',
    version: 1,
    tokens: {
      accessToken,
      refreshToken,
      idToken,
      claims,
      scope: 'openid',
      expiresAt,
      refreshAt: expiresAt - 60_000,
    },
  }
  await store.keyValue.update(`latchkey ${issuer} ${clientId} session`, () => record)
}
