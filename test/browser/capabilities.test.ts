import { indexedDb, memory, tabStorage } from 'latchkey'
import { capabilities } from 'latchkey/capabilities'
import { sealed } from 'latchkey/sealed'
import { expect, test } from 'vitest'

const holding = ({ promises }: Awaited<ReturnType<typeof capabilities>>) =>
  Object.values(promises).filter(({ holds }) => holds).length

test('IndexedDB in a page guarantees all seven capabilities, with Web Locks and messages between tabs', async () => {
  const report = await capabilities()
  expect(report).toMatchObject({
    store: 'indexedDb',
    works: true,
    reach: 'origin',
    persistence: 'evictable',
    locks: 'web-locks',
    channels: true,
    nonExtractableKeys: true,
  })
  expect(holding(report)).toBe(7)
  expect(await indexedDb().keyValue.keys('latchkey probe')).toEqual([])
})

test('sealed() over IndexedDB guarantees the same', async () => {
  expect(await capabilities(sealed(indexedDb()))).toMatchObject({
    works: true,
    reach: 'origin',
    locks: 'web-locks',
  })
})

test('a store of one tab, or in memory, ends with it, and the report says so', async () => {
  expect(await capabilities(tabStorage())).toMatchObject({
    reach: 'tab',
    persistence: 'until-the-tab-closes',
  })
  const inMemory = await capabilities(memory())
  expect(inMemory.promises.durableBeforeUsed.holds).toBe(false)
  expect(holding(inMemory)).toBe(5)
})

test('a worker has the same capabilities', async () => {
  const source = new URL('../../src/platform/browser/capabilities.ts', import.meta.url).href
  const script = `import(${JSON.stringify(source)}).then(async ({ capabilities }) => postMessage(await capabilities()))`
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), {
    type: 'module',
  })
  const report = await new Promise(resolve => {
    worker.onmessage = ({ data }) => resolve(data)
  })
  worker.terminate()
  expect(report).toMatchObject({ store: 'indexedDb', works: true, locks: 'web-locks', channels: true })
})
