import { expect, test } from 'vitest'
import { comparePage, readMessages } from '../support/error-messages.ts'

const messages = readMessages()

test('docs/errors.md contains every message of the source (`npm run messages` updates it)', () => {
  const { found, expected } = comparePage()
  expect(found).toBe(expected)
})

test('every code has messages, except the one whose class builds its message', () => {
  const codes = new Set(messages.map(({ code }) => code))
  for (const code of ['CONFIGURATION', 'CALLBACK', 'SERVER', 'NETWORK', 'STORAGE', 'LOCK_TIMEOUT'])
    expect(codes).toContain(`ERR_${code}`)
})

test('a message tells developers what happened and does not address users [F4.15]', () => {
  expect(messages.length).toBeGreaterThan(40)
  for (const { message } of messages) expect(message).not.toMatch(/Call signIn\(\) to (try again|begin anew)/)
})
