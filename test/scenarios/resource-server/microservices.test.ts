import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createScriptedUserAgent } from '../../../examples/demo/scripted-user-agent.ts'
import { type Step, startServices } from '../../../examples/microservices/services.ts'
import { type Client, createClient, loopback, memory } from '../../../src/node.ts'
import { parseJwt } from '../../../src/resource-server/jwt.ts'
import { startExchangingProvider } from '../../support/resource-server/exchanging-provider.ts'

const secrets = { orders: 'the-secret-of-orders', billing: 'the-secret-of-billing' }
const steps: Step[] = []
const clients: Client[] = []
let provider: Awaited<ReturnType<typeof startExchangingProvider>>
let services: Awaited<ReturnType<typeof startServices>>

beforeAll(async () => {
  provider = await startExchangingProvider(secrets)
  services = await startServices({ issuer: provider.issuer, secrets, trace: step => steps.push(step) })
})
afterAll(async () => {
  await services?.close()
  await provider?.close()
})
beforeEach(() => {
  steps.splice(0)
})
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
})

/** The shop's client of a user who has just signed in. */
async function signedIn(userName: string, scope = 'orders:write') {
  const client = createClient({
    ...{ issuer: provider.issuer, clientId: 'shop', scope: `openid offline_access ${scope}` },
    ...{ allowedOrigins: [services.ordersUrl], store: memory() },
    userAgent: loopback({ open: createScriptedUserAgent({ userName }) }),
  })
  clients.push(client)
  await client.signIn()
  provider.requests.splice(0)
  return client
}
const order = (client: Client) => client.fetch(`${services.ordersUrl}/orders`, { method: 'POST' })
const orderWith = (token: string | undefined, url: string) =>
  fetch(`${url}/orders`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
const told = () => steps.map(({ from, to, status }) => `${from} -> ${to}: ${status}`)

test("an order passes three services: with the user's token, an exchanged token, and a service's own token", async () => {
  const alice = await signedIn('alice')
  const answer = await order(alice)
  expect(await answer.json()).toEqual({
    orderedBy: 'alice',
    billing: { billFor: 'alice', ledger: { bookedBy: 'billing' } },
  })
  expect(told()).toEqual(['alice -> orders: 200', 'orders -> billing: 200', 'billing -> ledger: 200'])
  expect(provider.requests).toEqual(['orders: token-exchange: ok', 'billing: client_credentials: ok'])
})

test("the service's own token is used for all users, the exchanged one only for its user", async () => {
  const users = [await signedIn('bob'), await signedIn('carol')]
  const answers = await Promise.all(users.map(order))
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  expect(provider.requests).toEqual(['orders: token-exchange: ok', 'orders: token-exchange: ok'])
})

test('a token is accepted only by the service that it is for', async () => {
  const token = await (await signedIn('alice')).getAccessToken()
  expect(parseJwt(token ?? '')?.claims).toMatchObject({ sub: 'alice', aud: 'orders', scope: 'orders:write' })
  expect((await orderWith(token, services.billingUrl)).status).toBe(401)
  expect((await orderWith(token, services.ledgerUrl)).status).toBe(401)
  expect(told()).toEqual(['nobody -> billing: 401', 'nobody -> ledger: 401'])
})

test('the ledger refuses a token of the right service that is not bound to a key', async () => {
  const credentials = btoa(`billing:${secrets.billing}`)
  const answer = await fetch(`${provider.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'entries:write' }),
  })
  const { access_token } = (await answer.json()) as { access_token: string }
  expect(parseJwt(access_token)?.claims).toMatchObject({ client_id: 'billing', aud: 'ledger' })
  const refused = await orderWith(access_token, services.ledgerUrl)
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
    401,
    expect.stringMatching(/^DPoP /),
  ])
})

test('the first service refuses a user who did not agree to orders', async () => {
  const erin = await signedIn('erin', 'profile')
  expect((await order(erin)).status).toBe(403)
  expect(provider.requests).toEqual([])
})

test('when the user signs out, the chain ends before the second service, also with a token that was kept', async () => {
  const dave = await signedIn('dave')
  const token = await dave.getAccessToken()
  expect((await orderWith(token, services.ordersUrl)).status).toBe(200)
  await dave.signOut()
  steps.splice(0)
  provider.requests.splice(0)
  expect((await orderWith(token, services.ordersUrl)).status).toBe(401)
  expect(told()).toEqual(['dave -> orders: 200'])
  expect(provider.requests).toEqual(['orders: token-exchange: invalid_request'])
})
