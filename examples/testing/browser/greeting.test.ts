import { createTestClient } from 'latchkey/testing'
import { expect, test } from 'vitest'
import { page } from 'vitest/browser'
import { greeting } from '../greeting.ts'

test('the button signs in, in a real browser', async () => {
  const client = createTestClient({ user: { sub: 'ada', name: 'Ada' } })
  document.body.append(greeting(client))
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect.element(page.getByText('Hello Ada')).toBeVisible()
  expect(client.calls).toEqual([{ method: 'signIn', args: [] }])
})
