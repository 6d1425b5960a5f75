// Runs on every runtime, in an app that has installed the package: node program.mjs '{"issuer": …}'
import { createClient as createBrowserClient, indexedDb, memory } from 'latchkey'
import { createClient, file } from 'latchkey/node'

const { issuer, apiUrl, redirectorUrl, path } = JSON.parse(process.argv[2])
const options = { issuer, clientId: 'demo-cli', scope: 'openid offline_access notes:read' }
const allowedOrigins = [apiUrl, redirectorUrl].map(url => new URL(url).origin)

const client = createClient({ ...options, allowedOrigins, store: file(path) })
const { status: restored } = await client.start()
const calls = await Promise.all(Array.from({ length: 10 }, () => client.fetch(apiUrl)))
const redirected = []
for (const status of [301, 302, 303, 307, 308]) {
  for (const method of ['GET', 'POST']) {
    const body = method === 'POST' ? 'text' : undefined
    const response = await client.fetch(`${redirectorUrl}/${status}`, { method, body })
    redirected.push(await response.text())
  }
}
const request = new Request(apiUrl, { headers: { 'x-mine': 'yes' } })
const byRequest = await client.fetch(request)

// the browser entry can be imported and set up anywhere
const other = createBrowserClient({
  ...options,
  allowedOrigins,
  redirectUri: 'https://app.example.com/',
  store: memory(),
})
const { status: empty } = await other.start()
indexedDb()

console.log(
  JSON.stringify({
    restored,
    calls: calls.map(({ status }) => status),
    redirected,
    byRequest: byRequest.status,
    empty,
    refreshes: client.explain().events.filter(({ type }) => type === 'token-request').length,
  }),
)
// nothing is closed and the script does not exit: no timer, channel or listener may keep the process running
