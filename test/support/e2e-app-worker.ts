/** The test app's worker: a separate client over the same IndexedDB. It makes n calls and answers with a tally. */
import { createClient } from 'latchkey'

const { issuer, apiUrl }: { issuer: string; apiUrl: string } = JSON.parse(self.name)

const client = createClient({
  issuer,
  clientId: 'e2e-app',
  redirectUri: '/callback',
  scope: 'openid profile offline_access notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
})

const call = () =>
  client.fetch(apiUrl).then(
    ({ status }) => status,
    error => error.code ?? String(error),
  )

self.onmessage = async ({ data }: MessageEvent<number>) => {
  const outcomes = await Promise.all(Array.from({ length: data }, call))
  const tally: Record<string, number> = {}
  for (const outcome of outcomes) tally[outcome] = (tally[outcome] ?? 0) + 1
  self.postMessage(tally)
}
