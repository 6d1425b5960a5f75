/** Runs in the browser, bundled by gateway-stage.ts: an app whose API is behind a gateway. Tests reach it as `window.behindGateway`. */
import { type ClientEvent, createClient } from 'latchkey'
import { dpop } from 'latchkey/dpop'
import type { GatewayPageConfig } from './gateway-stage.ts'

const content = document.querySelector<HTMLMetaElement>('meta[name=config]')?.content ?? ''
const { issuer, clientId, scope, apiUrl, isBound }: GatewayPageConfig = JSON.parse(content)

const client = createClient({
  issuer,
  clientId,
  redirectUri: '/callback',
  scope,
  allowedOrigins: [new URL(apiUrl).origin],
  extensions: isBound ? [dpop()] : [],
})
const events: ClientEvent[] = []
client.events.subscribe(event => events.push(event))

/** Everything that the page can read of a response, or the error's text. */
async function call(path: string, send: typeof fetch = client.fetch) {
  try {
    const { status, headers } = await send(new URL(path, apiUrl))
    return [status, headers.get('www-authenticate'), headers.get('retry-after')] as const
  } catch (error) {
    return String(error)
  }
}

const behindGateway = {
  client,
  call,
  callWithoutToken: (path: string) => call(path, fetch),
  refreshes: () =>
    events.filter(event => event.type === 'token-request' && event.grantType === 'refresh_token').length,
  stepUps: () => events.filter(({ type }) => type === 'step-up-required').length,
}

declare global {
  interface Window {
    behindGateway: typeof behindGateway
  }
}

await client.start()
document.querySelector('#sign-in')?.addEventListener('click', () => void client.signIn())
window.behindGateway = behindGateway
