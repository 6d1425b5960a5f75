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

/** An imperative at the start of a sentence or clause. */
const ACT = new RegExp(
  /(^|[.:;,)…] |\b(?:or|and) )/.source +
    '(?:add|allow|ask|call|check|close|compare|correct|create|delete|enable|free|give|have|install|leave|let|look|make|' +
    'name|offer|open|omit|pass|register|reload|remove|renew|report|request|see|send|serve|set|sign in|try|unlock|use|wrap)\\b',
  'i',
)
/** Configuration errors that say what a call needs: the act is to give it that. */
const NEEDS = /\b(needs|requires|takes|must)\b/

/** They give the right names, so that nobody needs an imperative. */
const NAMES = /is not an option of …\. (Did you mean|The options are) …/

test('every message says what to do next [F8.15]', () => {
  const without = messages.filter(
    ({ code, message }) =>
      !ACT.test(message) && !(code === 'ERR_CONFIGURATION' && (NEEDS.test(message) || NAMES.test(message))),
  )
  expect(without.map(({ message, file }) => `${file}: ${message}`)).toEqual([])
})

test('a message tells developers what happened and does not address users [F4.15]', () => {
  expect(messages.length).toBeGreaterThan(40)
  for (const { message } of messages) expect(message).not.toMatch(/Call signIn\(\) to (try again|begin anew)/)
})
