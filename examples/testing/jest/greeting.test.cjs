const { createTestClient } = require('latchkey/testing')

test('the page greets the user', () => {
  const client = createTestClient()
  client.subscribe(session => {
    document.body.textContent = session.status === 'signed-in' ? `Hello ${session.claims.name}` : 'Bye'
  })
  client.signInAs({ sub: 'ada', name: 'Ada' })
  expect(document.body.textContent).toBe('Hello Ada')
  client.endSession()
  expect(document.body.textContent).toBe('Bye')
})
