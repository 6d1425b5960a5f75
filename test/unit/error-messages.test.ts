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

test('a message is whole sentences for developers, not an order to users [F4.15]', () => {
  expect(messages.length).toBeGreaterThan(40)
  for (const { message, file } of messages) {
    expect([file, message]).toEqual([file, expect.stringMatching(/^[^a-z]|^latchkey|^[a-z]\w*\(/)])
    expect([file, message]).toEqual([file, expect.stringMatching(/[.!…]$/)])
    expect(message).not.toMatch(/Call signIn\(\) to (try again|begin anew)/)
  }
})
