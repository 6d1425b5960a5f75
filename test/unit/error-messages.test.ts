import { expect, test } from 'vitest'
import { comparePage, readMessages } from '../support/error-messages.ts'

const messages = readMessages()

test('docs/errors.md has every message of the source: `npm run messages` writes them', () => {
  const { found, expected } = comparePage()
  expect(found).toBe(expected)
})

test('there are messages for every code but the one whose message its class makes', () => {
  const codes = new Set(messages.map(({ code }) => code))
  for (const code of ['CONFIGURATION', 'CALLBACK', 'SERVER', 'NETWORK', 'STORAGE', 'LOCK_TIMEOUT'])
    expect(codes).toContain(`ERR_${code}`)
})

test('a message tells developers what happened, and does not order users about [F4.15]', () => {
  expect(messages.length).toBeGreaterThan(40)
  for (const { message } of messages) expect(message).not.toMatch(/Call signIn\(\) to (try again|begin anew)/)
})
