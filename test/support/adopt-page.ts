/** Runs in the browser: a page that signs in with another library, then passes its session to latchkey. */
import { Auth0Client } from '@auth0/auth0-spa-js'
import Keycloak from 'keycloak-js'
import { createClient } from 'latchkey'
import { UserManager, WebStorageStateStore } from 'oidc-client-ts'
import { adopt, type ForeignTokens, fromAuth0, fromKeycloak, fromOidcClient } from '../../src/adopt.ts'

export type OtherLibrary = 'oidc-client-ts' | 'auth0-spa-js' | 'keycloak-js'

interface Other {
  /** Leaves the page. */
  signIn(): Promise<unknown>
  /** On the callback page: finishes the sign-in. Resolves with the tokens that latchkey can read. */
  finish(): Promise<ForeignTokens | undefined>
}

const { content = '{}' } = document.querySelector<HTMLMetaElement>('meta[name=config]') ?? {}
const config: { issuer: string; apiUrl: string; library: OtherLibrary } = JSON.parse(content)
const { issuer } = config
const clientId = 'demo-spa'
const scope = 'openid profile offline_access notes:read'
const redirectUri = `${location.origin}/callback`

const others: Record<OtherLibrary, () => Other> = {
  'oidc-client-ts': () => {
    const userStore = new WebStorageStateStore({ store: localStorage })
    const manager = new UserManager({
      ...{ authority: issuer, client_id: clientId, redirect_uri: redirectUri, scope, userStore },
      automaticSilentRenew: false,
    })
    return {
      signIn: () => manager.signinRedirect(),
      async finish() {
        await manager.signinRedirectCallback()
        return fromOidcClient(localStorage, { authority: issuer, clientId })
      },
    }
  },
  'auth0-spa-js': () => {
    const client = new Auth0Client({
      domain: new URL(issuer).origin,
      clientId,
      authorizationParams: { redirect_uri: redirectUri, scope },
      cacheLocation: 'localstorage',
      useRefreshTokens: true,
    })
    return {
      signIn: () => client.loginWithRedirect(),
      async finish() {
        await client.handleRedirectCallback()
        return fromAuth0(localStorage, { clientId })
      },
    }
  },
  'keycloak-js': () => {
    const keycloak = new Keycloak({ oidcProvider: issuer, clientId })
    const init = () => keycloak.init({ checkLoginIframe: false, pkceMethod: 'S256', responseMode: 'query' })
    return {
      async signIn() {
        await init()
        await keycloak.login({ redirectUri, scope })
      },
      async finish() {
        await init()
        return fromKeycloak(keycloak)
      },
    }
  },
}

const client = createClient({
  ...{ issuer, clientId, scope, redirectUri },
  allowedOrigins: [new URL(config.apiUrl).origin],
})
const page = {
  tokens: undefined as ForeignTokens | undefined,
  isReady: false,
  /** The keys that the other library has left in this origin's storage. */
  left: () => Object.keys(localStorage).filter(key => /^oidc\.user|auth0spajs/.test(key)),
  async adopt() {
    await client.start()
    if (page.tokens) await adopt(client, page.tokens)
    return client.session
  },
  /** What the app does after its migration: it uses only latchkey. */
  restore: () => client.start(),
  call: async () => (await client.fetch(config.apiUrl)).status,
  renew: () => client.getAccessToken({ forceRefresh: true }).then(() => client.session),
}

declare global {
  interface Window {
    readonly adoption: typeof page
  }
}
Object.assign(window, { adoption: page })

const other = others[config.library]()
if (location.pathname === '/callback' && location.search) page.tokens = await other.finish()
document.querySelector('#sign-in')?.addEventListener('click', () => void other.signIn())
page.isReady = true
