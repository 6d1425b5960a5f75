import { indexedDb, memory, sessionStorage } from 'latchkey'
import { capabilities } from 'latchkey/capabilities'
import { expect, test } from 'vitest'

test('a window of this browser: locks, news and keys that cannot be exported, and every promise holds', async () => {
  const report = await capabilities()
  expect(report).toMatchObject({
    store: { name: 'indexedDb', works: true, degraded: undefined, sharedBy: 'origin', survivesReload: true },
    lock: 'web-locks',
    news: 'broadcast-channel',
    webCrypto: true,
    nonExtractableKeys: true,
  })
  expect(typeof report.store.persisted).toBe('boolean')
  expect(Object.values(report.promises).every(promise => promise.holds === true)).toBe(true)
})

test('what was tried leaves nothing behind', async () => {
  const store = indexedDb()
  await capabilities(store)
  expect(await store.keyValue.keys('latchkey probe')).toEqual([])
})

test('sessionStorage holds within this tab, memory within this realm', async () => {
  const tab = await capabilities(sessionStorage())
  expect(tab.promises['one-redemption'].holds).toBe('within this tab')
  const realm = await capabilities(memory())
  expect(realm.promises['one-redemption'].holds).toBe('within this realm')
})
