import { createServer } from 'node:http'
import { listen } from '../../examples/demo/servers/listen.ts'
import { fillForms, until } from './e2e.ts'
import { launchE2eBrowser, type Profile, type Tab } from './e2e-browser.ts'
import { appPage, bundle } from './e2e-pages.ts'
import { createGatewayWorld, type GatewayWorld } from './gateways.ts'

/** The configuration of the page in gateway-page.ts. */
export interface GatewayPageConfig {
  readonly issuer: string
  readonly clientId: string
  readonly scope: string
  readonly apiUrl: string
  readonly isBound: boolean
}

export interface GatewayStage {
  readonly world: GatewayWorld
  /** The origin of the page that the gateway's configuration names. */
  readonly origin: string
  /** Opens the app there, and signs in. */
  signedIn(scope: string): Promise<Tab>
  /** Opens the same app on another origin. */
  onOtherOrigin(): Promise<Tab>
  closeProfiles(): Promise<void>
  close(): Promise<void>
}

/**
 * Starts an app's page, its provider, a gateway and the API behind it, each on its own origin.
 * @param options.audience access tokens are JWTs for it; opaque if left out.
 * @param options.isBound whether access tokens are bound to a key (DPoP).
 * @param options.start starts the gateway. `changes` puts the page's origin into its configuration.
 */
export async function startGatewayStage({
  audience,
  isBound = false,
  start,
}: {
  audience?: string
  isBound?: boolean
  start(world: GatewayWorld, changes: Record<string, string>): Promise<{ close(): Promise<void> }>
}): Promise<GatewayStage> {
  const closing: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const one of closing.splice(0).reverse()) await one()
  }
  try {
    const clientId = 'page'
    const script = await bundle('test/support/gateway-page.ts')
    let config: GatewayPageConfig = { issuer: '', clientId, scope: '', apiUrl: '', isBound }
    const serve = async () => {
      const page = await listen(
        createServer((request, response) => {
          const isScript = request.url === '/app.js'
          response.writeHead(200, { 'content-type': `text/${isScript ? 'javascript' : 'html'}` })
          response.end(isScript ? script : appPage(config))
        }),
        { name: 'app behind a gateway' },
      )
      closing.push(page.close)
      return page.origin
    }
    const [origin, otherOrigin] = [await serve(), await serve()]
    const world = await createGatewayWorld({
      audience,
      clients: [
        {
          client_id: clientId,
          application_type: 'web',
          token_endpoint_auth_method: 'none',
          grant_types: ['authorization_code', 'refresh_token'],
          redirect_uris: [`${origin}/callback`],
        },
      ],
    })
    closing.push(world.close)
    const gateway = await start(world, { 'https://app.example.com': origin })
    closing.push(gateway.close)
    const browser = await launchE2eBrowser()
    closing.push(browser.close)
    const profiles: Profile[] = []
    const opened = async (at: string) => {
      const profile = await browser.newProfile()
      profiles.push(profile)
      const tab = await profile.newTab(at)
      await until('the app has started', () => tab.run(() => window.behindGateway !== undefined))
      return tab
    }
    config = { ...config, issuer: world.server.issuer, apiUrl: world.url }
    return {
      world,
      origin,
      async signedIn(scope) {
        config = { ...config, scope: `openid offline_access ${scope}` }
        const tab = await opened(origin)
        await tab.click('#sign-in')
        await fillForms(tab)
        await until('this tab is signed in', () =>
          tab.run(() => window.behindGateway.client.session.status === 'signed-in'),
        )
        return tab
      },
      onOtherOrigin: () => opened(otherOrigin),
      closeProfiles: async () => void (await Promise.all(profiles.splice(0).map(one => one.close()))),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
