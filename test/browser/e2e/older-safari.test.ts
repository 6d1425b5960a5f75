import { expect, test } from 'vitest'
import { endToEnd, shorten, signedInTab, untilExpired, untilStatus } from '../../support/e2e.ts'

const e2e = endToEnd()

/** What Safari 17.0, the oldest one that README names, lacks of what Chromium has. */
const LATER = [
  'AbortSignal.any',
  'Promise.withResolvers',
  'Promise.try',
  'Array.fromAsync',
  'Object.groupBy',
  'Map.groupBy',
  'URL.parse',
  'Iterator',
  'RegExp.escape',
  'Uint8Array.fromBase64',
]

test('a browser without the APIs that came after Safari 17.0 signs in, calls an API, refreshes once and signs out', async () => {
  const removed = LATER.map(name => `delete ${name.includes('.') ? name : `globalThis.${name}`}`)
  e2e.pages.setPrelude(`${removed.join('\n')}\n`)
  const tab = await signedInTab(e2e, await e2e.newProfile())
  expect(await tab.run(() => ['any' in AbortSignal, 'withResolvers' in Promise])).toEqual([false, false])
  expect(await tab.run(() => window.app.call())).toBe(200)
  await shorten(e2e.servers, tab, 1)
  await untilExpired(tab)
  e2e.servers.issueFor(3600)
  expect(await tab.run(() => window.app.calls(5))).toEqual({ 200: 5 })
  expect(e2e.servers.refreshes()).toMatchObject([{ status: 200 }])
  await tab.run(() => window.app.client.signOut({ endProviderSession: false }))
  await untilStatus(tab, 'signed-out')
  expect(await tab.run(() => window.app.uncaught)).toEqual([])
})
