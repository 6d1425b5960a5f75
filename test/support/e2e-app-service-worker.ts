/** The test app's service worker: a separate client over the pages' IndexedDB. Answers on the message's port. */
import { createClient } from 'latchkey'

const config = new URL(self.location.href).searchParams
const apiUrl = config.get('apiUrl') ?? ''

const client = createClient({
  issuer: config.get('issuer') ?? '',
  clientId: 'e2e-app',
  redirectUri: '/callback',
  scope: 'openid profile offline_access notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
})

const nameOf = (error: { code?: string }) => error.code ?? String(error)
const call = () => client.fetch(apiUrl).then(({ status }) => status, nameOf)

const answers: Record<string, () => unknown> = {
  globals: () => ['window', 'document', 'localStorage', 'sessionStorage'].filter(name => name in globalThis),
  status: async () => (await client.start()).status,
  accessToken: () => client.getAccessToken().catch(nameOf),
  calls: () => Promise.all(Array.from({ length: 10 }, call)),
}

self.addEventListener('message', event => {
  const { data, ports } = event as MessageEvent<string>
  const answered = Promise.resolve(answers[data]?.()).then(answer => ports[0]?.postMessage(answer))
  ;(event as unknown as { waitUntil(work: Promise<void>): void }).waitUntil(answered)
})
