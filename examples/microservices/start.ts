// One order through three services, and who asked whom for what: `npx tsx examples/microservices/start.ts`.
import { createClient, loopback, memory } from 'latchkey/node'
import { createScriptedUserAgent } from '../demo/scripted-user-agent.ts'
import { startExchangingServer } from './authorization-server.ts'
import { startServices } from './services.ts'
import { createTrace, toLine } from './trace.ts'

const secrets = { orders: crypto.randomUUID(), billing: crypto.randomUUID() }
const trace = createTrace(arrow => console.log(toLine(arrow)))
const server = await startExchangingServer({ secrets, trace })
const services = await startServices({ issuer: server.issuer, secrets, trace })
const shop = createClient({
  issuer: server.issuer,
  clientId: 'shop',
  scope: 'openid offline_access orders:write',
  store: memory(),
  allowedOrigins: [services.ordersUrl],
  // signs in as alice, without a browser
  userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
})
try {
  await shop.signIn()
  const response = await shop.fetch(`${services.ordersUrl}/orders`, { method: 'POST' })
  console.log(`\nThe shop got ${response.status}: ${await response.text()}`)
} finally {
  shop.dispose()
  await services.close()
  await server.close()
}
