// @vitest-environment happy-dom
import { createTestClient } from 'latchkey/testing'
import { expect, test } from 'vitest'
import { greeting } from './greeting.ts'

test('the greeting follows the session', () => {
  const client = createTestClient()
  const element = greeting(client)
  client.signInAs({ sub: 'ada', name: 'Ada' })
  expect(element.textContent).toContain('Hello Ada')
})
