// @vitest-environment jsdom
import { createTestClient } from 'latchkey/testing'
import { expect, test } from 'vitest'
import { greeting } from './greeting.ts'

test('the greeting follows the session', () => {
  const client = createTestClient()
  const element = greeting(client)
  expect(element.textContent).toContain('Nobody is here.')

  client.signInAs({ sub: 'ada', name: 'Ada' }) // as if in another tab
  expect(element.textContent).toContain('Hello Ada')

  client.endSession('expired') // the server ended the session
  expect(element.textContent).toContain('Nobody is here.')
})

test('the button signs in', () => {
  const client = createTestClient({ user: { sub: 'ada', name: 'Ada' } })
  const element = greeting(client)
  element.querySelector('button')?.click()
  expect(client.calls).toEqual([{ method: 'signIn', args: [] }])
  expect(element.textContent).toContain('Hello Ada')
})
