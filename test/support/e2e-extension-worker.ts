/** The background worker of the tests' extension (Manifest V3). Tests reach it as `extension`. */
import { type Client, createClient, type UserAgent } from 'latchkey'

interface Tabs {
  create(options: { url: string }): Promise<unknown>
  remove(id: number): Promise<void>
  onUpdated: {
    addListener(hear: (id: number, change: { url?: string }) => void): void
    removeListener(hear: (id: number, change: { url?: string }) => void): void
  }
}
interface Identity {
  launchWebAuthFlow(details: { url: string; interactive: boolean }): Promise<string | undefined>
}
declare const chrome: { tabs: Tabs; identity?: Identity }
declare const config: { issuer: string; apiUrl: string; redirectUri: string }

/** Shows the authorization server in a tab, and waits until that tab reaches the redirect URI. */
const inTab: UserAgent = {
  name: 'tab',
  begin: redirectUri => ({
    redirectUri,
    authorize: (url, state) =>
      new Promise(resolve => {
        const hear = (id: number, { url: at }: { url?: string }) => {
          if (!at?.startsWith(redirectUri) || new URL(at).searchParams.get('state') !== state) return
          chrome.tabs.onUpdated.removeListener(hear)
          void chrome.tabs.remove(id)
          resolve(at)
        }
        chrome.tabs.onUpdated.addListener(hear)
        void chrome.tabs.create({ url })
      }),
    close() {},
  }),
}

/** Shows the authorization server in the window that the browser has for this, as in docs/more-places.md. */
const inFlow = (identity: Identity): UserAgent => ({
  name: 'launchWebAuthFlow',
  begin: redirectUri => ({
    redirectUri,
    authorize: url => identity.launchWebAuthFlow({ url, interactive: true }),
    close() {},
  }),
})

const client = createClient({
  issuer: config.issuer,
  clientId: 'e2e-app',
  redirectUri: config.redirectUri,
  scope: 'openid profile offline_access notes:read',
  allowedOrigins: [new URL(config.apiUrl).origin],
  userAgent: chrome.identity ? inFlow(chrome.identity) : inTab,
})

const nameOf = (error: { code?: string }) => error.code ?? String(error)

const extension = {
  client,
  signedIn: undefined as string | undefined,
  globals: () => ['window', 'document', 'localStorage', 'sessionStorage'].filter(name => name in globalThis),
  start: () => client.start().then(({ status }) => status, nameOf),
  signIn() {
    client
      .signIn()
      .then(({ status }) => status, nameOf)
      .then(outcome => {
        extension.signedIn = outcome
      })
  },
  calls: () =>
    Promise.all(
      Array.from({ length: 10 }, () => client.fetch(config.apiUrl).then(({ status }) => status, nameOf)),
    ),
  isExpired: () =>
    client.session.status === 'signed-in' && Date.now() >= (client.session.accessTokenExpiresAt ?? Infinity),
}

export type Extension = typeof extension & { client: Client }
Object.assign(globalThis, { extension })
