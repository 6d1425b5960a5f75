import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createScriptedUserAgent } from '../../../examples/demo/scripted-user-agent.ts'
import { startExchangingServer } from '../../../examples/microservices/authorization-server.ts'
import { startServices } from '../../../examples/microservices/services.ts'
import {
  type Arrow,
  AUTHORIZATION_SERVER,
  createTrace,
  toMermaid,
} from '../../../examples/microservices/trace.ts'
import { type Client, createClient, loopback, memory } from '../../../src/node.ts'
import { parseJwt } from '../../../src/resource-server/jwt.ts'
import { runCommand } from '../../support/command.ts'

const secrets = { orders: 'the-secret-of-orders', billing: 'the-secret-of-billing' }
const arrows: Arrow[] = []
const trace = createTrace(arrow => arrows.push(arrow))
const clients: Client[] = []
let server: Awaited<ReturnType<typeof startExchangingServer>>
let services: Awaited<ReturnType<typeof startServices>>

beforeAll(async () => {
  server = await startExchangingServer({ secrets, trace })
  services = await startServices({ issuer: server.issuer, secrets, trace })
})
afterAll(async () => {
  await services?.close()
  await server?.close()
})
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
})

/** The shop's client of a user who has just signed in. */
async function signedIn(userName: string, scope = 'orders:write') {
  const client = createClient({
    ...{ issuer: server.issuer, clientId: 'shop', scope: `openid offline_access ${scope}` },
    ...{ allowedOrigins: [services.ordersUrl], store: memory() },
    userAgent: loopback({ open: createScriptedUserAgent({ userName }) }),
  })
  clients.push(client)
  await client.signIn()
  return client
}
const order = (client: Client) => client.fetch(`${services.ordersUrl}/orders`, { method: 'POST' })
const orderWith = (token: string | undefined, url: string) =>
  fetch(`${url}/orders`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
/** Runs something. @returns its arrows, without those of the rest of the test. */
async function during(work: () => Promise<unknown>): Promise<readonly Arrow[]> {
  arrows.splice(0)
  await work()
  return [...arrows]
}
const short = ({ from, to, what, isAnswer }: Arrow) => (isAnswer ? `${from}: ${what}` : `${from} -> ${to}`)

test("an order passes three services: with the user's token, an exchanged token, and a service's own token", async () => {
  const seen = await during(async () => {
    const alice = await signedIn('alice')
    const answer = await order(alice)
    expect([answer.status, await answer.text()]).toEqual([
      200,
      'ordered by alice, bill for alice, booked by billing',
    ])
  })
  // the picture in the docs is this exchange
  const docs = readFileSync(new URL('../../../docs/resource-server.md', import.meta.url), 'utf8')
  expect(/```mermaid\n([^`]+)\n```/.exec(docs)?.[1]).toBe(toMermaid(seen, ['alice']))
})

test("the service's own token is used for all users, the exchanged one only for its user", async () => {
  const users = [await signedIn('bob'), await signedIn('carol')]
  const seen = await during(async () => {
    const answers = await Promise.all(users.map(order))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
  })
  expect(
    seen
      .filter(({ from }) => from === AUTHORIZATION_SERVER)
      .map(short)
      .sort(),
  ).toEqual(['bob', 'carol'].map(user => `${AUTHORIZATION_SERVER}: a token of ${user}, for billing`))
})

test('a token is accepted only by the service that it is for', async () => {
  const token = await (await signedIn('alice')).getAccessToken()
  expect(parseJwt(token ?? '')?.claims).toMatchObject({ sub: 'alice', aud: 'orders', scope: 'orders:write' })
  const seen = await during(async () => {
    expect((await orderWith(token, services.billingUrl)).status).toBe(401)
    expect((await orderWith(token, services.ledgerUrl)).status).toBe(401)
  })
  expect(seen.map(short)).toEqual([
    ...['nobody -> billing', 'billing: refused: 401'],
    ...['nobody -> ledger', 'ledger: refused: 401'],
  ])
})

test('the ledger refuses a token of the right service that is not bound to a key', async () => {
  const credentials = btoa(`billing:${secrets.billing}`)
  const answer = await fetch(`${server.issuer}/token`, {
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
  const seen = await during(async () => expect((await order(erin)).status).toBe(403))
  expect(seen.map(short)).toEqual(['nobody -> orders', 'orders: refused: 403'])
})

test('when the user signs out, the chain ends before the second service, also with a token that was kept', async () => {
  const dave = await signedIn('dave')
  const token = await dave.getAccessToken()
  expect((await orderWith(token, services.ordersUrl)).status).toBe(200)
  await dave.signOut()
  const seen = await during(async () => expect((await orderWith(token, services.ordersUrl)).status).toBe(401))
  expect(seen.map(short)).toEqual([
    ...['dave -> orders', `orders -> ${AUTHORIZATION_SERVER}`],
    ...[`${AUTHORIZATION_SERVER}: invalid_request`, 'orders: the user has signed out'],
  ])
})

test('the example prints each arrow of one order', async () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  const { code, output } = await runCommand(
    process.execPath,
    ['--import', 'tsx', 'examples/microservices/start.ts'],
    { cwd: root, timeoutMs: 60_000 },
  )
  expect(output).toContain(
    'billing              → ledger                book an entry, with a token of billing',
  )
  expect(output).toContain('The shop got 200: ordered by alice, bill for alice, booked by billing')
  expect(code).toBe(0)
}, 60_000)
