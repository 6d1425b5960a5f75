import { createTestServer, cypressIntercepts, lostAnswer } from 'latchkey/testing'

it('signs in, and stays signed in when the answer to a refresh is lost', () => {
  const server = createTestServer({ redirectUri: 'http://127.0.0.1:5173/callback' })
  server.user = { sub: 'ada', name: 'Ada' }
  cypressIntercepts(server, cy)
  cy.visit('http://127.0.0.1:5173/')
  cy.contains('button', 'Sign in').click()
  cy.contains('Hello Ada').then(() => {
    server.revokeAccessTokens()
    server.faults.token.push(lostAnswer)
  })
  cy.contains('button', 'Load notes').click()
  cy.contains('200')
})
