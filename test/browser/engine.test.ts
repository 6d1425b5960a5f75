import { expect, test } from 'vitest'
import { browserPage } from '../../src/platform/browser/page.ts'

test('the browser has the features that latchkey requires, in a secure context', async () => {
  expect(isSecureContext).toBe(true)
  expect(await navigator.locks.request('engine', lock => lock?.name)).toBe('engine')
  expect(typeof BroadcastChannel).toBe('function')
  expect(typeof indexedDB.open).toBe('function')
  expect(typeof crypto.subtle.digest).toBe('function')
})

test('an address that the browser rejects is not shown, and nothing is thrown [F6.4]', () => {
  const before = location.href
  for (const url of ['https://user:secret@id.example.com/', `${location.protocol}//user@${location.host}/`])
    browserPage()?.replaceLocation(url)
  expect(location.href).toBe(before)
})
