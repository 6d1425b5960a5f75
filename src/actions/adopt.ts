import type { actionContext } from '../core/extension.ts'
import type { UserAgent } from '../core/ports.ts'
import type { Session } from '../core/session.ts'
import { notLoaded } from '../core/waiting.ts'
import { AuthorizationRequiredError, ConfigurationError } from '../errors.ts'
import { internalsOf } from './context.ts'

/** Tokens that another library or a native app received for the same user, issuer and `client_id`. */
export interface ForeignTokens {
  /** latchkey redeems it immediately; the other side must not use it afterwards. */
  readonly refreshToken: string
  /** Identifies the user if the server sends no ID Token with a refresh. latchkey does not check its signature. */
  readonly idToken?: string | undefined
  /** Removes the tokens from their old place. latchkey calls it when it has adopted them, or when they are unusable. */
  forget?(): void
}

const textOf = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)

/**
 * Begins a session with existing tokens, without a sign-in: latchkey redeems the refresh token (RFC 6749 section 6), checks
 * the response and stores the session. You may call it at every start: latchkey redeems a refresh token only once, and does
 * not begin a session again that the user has ended.
 * @throws ConfigurationError if another user may be signed in, or the tokens are for another issuer or client;
 * AuthorizationRequiredError if the server does not accept the refresh token, names another user than `idToken`, or the
 * session has ended; ServerError, NetworkError, StorageError or LockTimeoutError as for a refresh.
 */
export async function adopt(
  client: { readonly [actionContext]?: unknown },
  tokens: ForeignTokens,
): Promise<Session> {
  const { refreshToken, idToken } = tokens
  if (!textOf(refreshToken) || (idToken !== undefined && !textOf(idToken)))
    throw new ConfigurationError('adopt() takes a "refreshToken" and, where there is one, an "idToken".')
  const { signIn } = internalsOf(client)
  const { createAdoption } = await import('./adoption.ts').catch(notLoaded)
  const userAgent: UserAgent = {
    name: `adopt ${crypto.randomUUID()}`, // signIn() shares equal requests, but two calls may adopt different tokens
    begin: redirectUri => ({
      redirectUri,
      authorize: async () => undefined,
      obtain: createAdoption(refreshToken, idToken),
      close() {},
    }),
  }
  try {
    const session = await signIn({ userAgent })
    tokens.forget?.()
    return session
  } catch (error) {
    if (error instanceof AuthorizationRequiredError) tokens.forget?.()
    throw error
  }
}

type Area = Pick<Storage, 'getItem' | 'removeItem'>

function read(area: Area, key: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(area.getItem(key) ?? '{}'))
  } catch {
    return {} // damaged, or written by other code
  }
}

/**
 * Reads the session that oidc-client-ts (also react-oidc-context, and oidc-client 1) has stored.
 * @param area its `userStore`: sessionStorage unless the app chose localStorage.
 * @param options.authority exactly as the app configured it.
 * @param options.prefix the prefix of its `WebStorageStateStore`. Default `oidc.`.
 * @returns `undefined` if there is no session with a refresh token.
 */
export function fromOidcClient(
  area: Area,
  { authority, clientId, prefix = 'oidc.' }: { authority: string; clientId: string; prefix?: string },
): ForeignTokens | undefined {
  const key = `${prefix}user:${authority}:${clientId}`
  const { refresh_token, id_token } = read(area, key)
  const refreshToken = textOf(refresh_token)
  const forget = () => area.removeItem(key)
  return refreshToken === undefined ? undefined : { refreshToken, idToken: textOf(id_token), forget }
}

/**
 * Reads the session that auth0-spa-js 2 has stored with `cacheLocation: 'localstorage'` and `useRefreshTokens`. With other
 * options it stores no refresh token.
 * @param area localStorage.
 * @returns `undefined` if there is no session with a refresh token.
 */
export function fromAuth0(area: Storage, { clientId }: { clientId: string }): ForeignTokens | undefined {
  const prefix = `@@auth0spajs@@::${clientId}::`
  const keys = Object.keys(area).filter(key => key.startsWith(prefix))
  const entries = keys.map(key => read(area, key))
  const newest = entries
    .filter(({ body }) => textOf(Object(body).refresh_token))
    .sort((a, b) => Number(b.expiresAt) - Number(a.expiresAt))[0]
  if (!newest) return undefined
  const { refresh_token, id_token } = Object(newest.body)
  const { id_token: idToken = id_token } = read(area, `${prefix}@@user@@`)
  const forget = () => {
    for (const key of keys) area.removeItem(key)
  }
  return { refreshToken: refresh_token, idToken: textOf(idToken), forget }
}

/**
 * Reads the tokens of keycloak-js, which keeps them in memory, or the tokens that the app itself has stored. Do not call
 * keycloak-js's `updateToken()` afterwards.
 * @param keycloak the Keycloak object, or an object with the same members.
 * @returns `undefined` if there is no refresh token.
 */
export function fromKeycloak(keycloak: {
  readonly refreshToken?: string | undefined
  readonly idToken?: string | undefined
}): ForeignTokens | undefined {
  const { refreshToken, idToken } = keycloak
  return textOf(refreshToken) ? { refreshToken: refreshToken as string, idToken } : undefined
}
