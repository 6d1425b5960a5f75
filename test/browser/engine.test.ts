import { expect, test } from 'vitest'

test('the browser has what latchkey builds on, in a secure context', async () => {
  expect(isSecureContext).toBe(true)
  expect(await navigator.locks.request('engine', lock => lock?.name)).toBe('engine')
  expect(typeof BroadcastChannel).toBe('function')
  expect(typeof indexedDB.open).toBe('function')
  expect(typeof crypto.subtle.digest).toBe('function')
})
