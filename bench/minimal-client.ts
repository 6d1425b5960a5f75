/**
 * What an app writes itself on oauth4webapi and IndexedDB when it takes no SDK: the code flow with PKCE, a refresh under a
 * Web Lock, a `fetch` that attaches the token and refreshes once. latchkey's cost is measured beside it.
 */
import { get, set } from 'idb-keyval'
import * as oauth from 'oauth4webapi'

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken?: string
  /** In ms since 1970. */
  readonly expiresAt: number
}

export interface MinimalOptions {
  readonly issuer: string
  readonly clientId: string
  readonly redirectUri: string
  readonly scope: string
  /** Default: IndexedDB. */
  readonly store?: { get(key: string): Promise<unknown>; set(key: string, value: unknown): Promise<void> }
  /** Default: a Web Lock. */
  readonly exclusive?: <T>(work: () => Promise<T>) => Promise<T>
}

const overHttp = { [oauth.allowInsecureRequests]: true } // the bench has no https

const webLock = <T>(work: () => Promise<T>): Promise<T> => navigator.locks.request('minimal-client', work)

export function createMinimalClient(options: MinimalOptions) {
  const { issuer, redirectUri, scope, store = { get, set }, exclusive = webLock } = options
  const client = { client_id: options.clientId }
  let tokens: Tokens | undefined
  let discovered: Promise<oauth.AuthorizationServer> | undefined
  let refreshing: Promise<Tokens> | undefined

  const discover = async () =>
    oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), overHttp))
  const server = () => {
    discovered ??= discover()
    return discovered
  }
  const isFresh = (one: Tokens | undefined): one is Tokens => !!one && Date.now() < one.expiresAt

  async function keep(response: oauth.TokenEndpointResponse, before?: Tokens): Promise<Tokens> {
    const { access_token: accessToken, refresh_token: refreshToken, expires_in = 3600 } = response
    const expiresAt = Date.now() + expires_in * 1000
    const next = { accessToken, refreshToken: refreshToken ?? before?.refreshToken, expiresAt }
    await store.set('tokens', next)
    tokens = next
    return next
  }

  async function refresh(rejected?: string): Promise<Tokens> {
    const stored = (await store.get('tokens')) as Tokens | undefined // another tab may have refreshed meanwhile
    if (isFresh(stored) && stored.accessToken !== rejected) {
      tokens = stored
      return stored
    }
    if (!stored?.refreshToken) throw new Error('Nobody is signed in.')
    const as = await server()
    const { refreshToken } = stored
    const response = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), refreshToken, overHttp)
    return keep(await oauth.processRefreshTokenResponse(as, client, response), stored)
  }
  const refreshOnce = (rejected?: string) => {
    refreshing ??= exclusive(() => refresh(rejected)).finally(() => {
      refreshing = undefined
    })
    return refreshing
  }

  const send = (url: string, init: RequestInit | undefined, { accessToken }: Tokens) => {
    const headers = new Headers(init?.headers)
    headers.set('authorization', `Bearer ${accessToken}`)
    return fetch(url, { ...init, headers })
  }

  return {
    /** Reads what is stored. */
    async start() {
      tokens = (await store.get('tokens')) as Tokens | undefined
    },

    /** Leaves the page. */
    async signIn() {
      const [as, verifier, state] = [
        await server(),
        oauth.generateRandomCodeVerifier(),
        oauth.generateRandomState(),
      ]
      await store.set('sign-in', { verifier, state })
      const url = new URL(as.authorization_endpoint ?? '')
      url.search = new URLSearchParams({
        client_id: client.client_id,
        redirect_uri: redirectUri,
        response_type: 'code',
        scope,
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }).toString()
      location.assign(url)
    },

    async finishSignIn() {
      const [as, begun] = await Promise.all([server(), store.get('sign-in')])
      const { verifier, state } = begun as { verifier: string; state: string }
      const answer = oauth.validateAuthResponse(as, client, new URL(location.href), state)
      const none = oauth.None()
      const response = await oauth.authorizationCodeGrantRequest(
        as,
        client,
        none,
        answer,
        redirectUri,
        verifier,
        overHttp,
      )
      await keep(await oauth.processAuthorizationCodeResponse(as, client, response))
      history.replaceState(undefined, '', '/')
    },

    async fetch(url: string, init?: RequestInit): Promise<Response> {
      const current = isFresh(tokens) ? tokens : await refreshOnce()
      const response = await send(url, init, current)
      return response.status === 401 ? send(url, init, await refreshOnce(current.accessToken)) : response
    },
  }
}
