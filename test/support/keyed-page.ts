import { createClient, indexedDb } from 'latchkey'
import { dpop } from 'latchkey/dpop'
import { sealed } from 'latchkey/sealed'

// a page whose client keeps a CryptoKey in IndexedDB: that of dpop(), or that of sealed()
declare const HAS_DPOP: boolean
const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'app',
  redirectUri: '/callback',
  scope: 'openid offline_access',
  allowedOrigins: ['https://api.example.com'],
  store: HAS_DPOP ? indexedDb() : sealed(indexedDb()),
  extensions: HAS_DPOP ? [dpop()] : [],
})
const shown = document.createElement('output')
const button = document.createElement('button')
button.textContent = 'Sign in'
button.onclick = () => client.signIn({ returnTo: '/' })
document.body.append(button, shown)

await client.start().catch((error: unknown) => {
  shown.textContent = String(error)
})
// a call shows whether the session can be used
await client.fetch('https://api.example.com/notes').catch(() => {})
const { session } = client
shown.textContent ||= `${session.status} ${(session.status === 'signed-out' && session.reason) || ''}`.trim()
