import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Step, startServices } from '../../../examples/microservices/services.ts'
import { startTokenService } from '../../support/resource-server/token-service.ts'

const secrets = { orders: 'the-secret-of-orders', billing: 'the-secret-of-billing' }
const steps: Step[] = []
let tokens: Awaited<ReturnType<typeof startTokenService>>
let services: Awaited<ReturnType<typeof startServices>>

beforeAll(async () => {
  tokens = await startTokenService(secrets)
  services = await startServices({ issuer: tokens.url, secrets, trace: step => steps.push(step) })
})
afterAll(async () => {
  await services?.close()
  await tokens?.close()
})
beforeEach(() => {
  steps.splice(0)
  tokens.entries.splice(0)
})

const order = (token: string, url = services.ordersUrl) =>
  fetch(`${url}/orders`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
const told = () => steps.map(({ from, to, status }) => `${from} -> ${to}: ${status}`)

test("an order passes three services: with the user's token, an exchanged token, and a service's own token", async () => {
  const answer = await order(tokens.userToken('alice'))
  expect(await answer.json()).toEqual({
    orderedBy: 'alice',
    billing: { billFor: 'alice', ledger: { bookedBy: 'billing' } },
  })
  expect(told()).toEqual(['alice -> orders: 200', 'orders -> billing: 200', 'billing -> ledger: 200'])
  expect(tokens.entries.map(({ clientId, audience, outcome }) => [clientId, audience, outcome])).toEqual([
    ['orders', 'billing', 'ok'],
    ['billing', 'ledger', 'ok'],
  ])
})

test("the service's own token is used for all users, the exchanged one only for its user", async () => {
  const answers = await Promise.all(['bob', 'carol'].map(name => order(tokens.userToken(name))))
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  expect(tokens.entries.map(({ clientId }) => clientId)).toEqual(['orders', 'orders'])
})

test('a token is accepted only by the service that it is for', async () => {
  const user = tokens.userToken('alice')
  expect((await order(user, services.billingUrl)).status).toBe(401)
  expect((await order(user, services.ledgerUrl)).status).toBe(401)
  const wide = tokens.userToken('alice', { aud: ['orders', 'billing', 'ledger'], scope: 'entries:write' })
  expect((await order(wide, services.ordersUrl)).status).toBe(403)
  // it is for the ledger, and not bound to a key
  expect((await order(wide, services.ledgerUrl)).headers.get('www-authenticate')).toMatch(/^DPoP /)
})

test("when the user's session ends, the chain ends before the second service", async () => {
  const token = tokens.userToken('dave')
  expect((await order(token)).status).toBe(200)
  tokens.endSession('dave')
  steps.splice(0)
  expect((await order(token)).status).toBe(401)
  expect(told()).toEqual(['dave -> orders: 200'])
})
