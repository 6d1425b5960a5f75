import { expect, test } from 'vitest'
import { type CypressRequest, createTestServer, cypressIntercepts, lostAnswer } from '../../../src/testing.ts'

/** Cypress cannot run here, because its binary is not an npm package. This is its documented interface of `cy.intercept`. */
function cypress() {
  const rules: { url: RegExp; handler: (request: CypressRequest) => Promise<void> }[] = []
  return {
    cy: {
      intercept({ url }: { url: RegExp }, handler: (request: CypressRequest) => Promise<void>) {
        rules.push({ url, handler })
      },
    },
    async send(url: string, method = 'GET', body: unknown = '') {
      const rule = rules.find(one => one.url.test(url))
      if (!rule) return 'not intercepted'
      let outcome: unknown
      await rule.handler({
        ...{ url, method, body, headers: { origin: 'https://app.example.com', accept: ['a', 'b'] } },
        reply: answer => {
          outcome = answer
        },
        destroy: () => {
          outcome = 'destroyed'
        },
        continue: () => {
          outcome = 'continued'
        },
      })
      return outcome
    },
  }
}

test('in Cypress the server answers its own origins, breaks connections on request, and ignores all other requests', async () => {
  const server = createTestServer()
  const { cy, send } = cypress()
  cypressIntercepts(server, cy)
  expect(await send(`${server.issuer}/.well-known/openid-configuration`)).toMatchObject({
    statusCode: 200,
    headers: { 'access-control-allow-origin': 'https://app.example.com' },
    body: expect.stringContaining('token_endpoint'),
  })
  expect(await send(`${server.api}/notes`, 'POST', { text: 'x' })).toMatchObject({ statusCode: 401 })
  expect(server.apiRequests[0]?.body).toBe('{"text":"x"}')
  server.faults.token.push(lostAnswer)
  expect(await send(`${server.issuer}/token`, 'POST', 'grant_type=refresh_token')).toBe('destroyed')
  expect(await send(`${server.issuer}/logo.svg`)).toBe('continued')
  expect(await send('https://id.example.com.evil.example/')).toBe('not intercepted')
})
