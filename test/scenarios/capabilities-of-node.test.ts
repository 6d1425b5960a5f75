import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Store } from '../../src/core/ports.ts'
import { file, memory } from '../../src/node.ts'
import { capabilities } from '../../src/platform/browser/capabilities.ts'
import { hostStore } from '../../src/webview.ts'
import { tempFolders } from '../support/temp-folder.ts'

const tempFolder = tempFolders()
const holding = ({ promises }: Awaited<ReturnType<typeof capabilities>>) =>
  Object.entries(promises).flatMap(([name, { holds }]) => (holds ? name : []))
const ALWAYS = ['tokensGoNowhereElse', 'fetchIsFetch', 'freeWhenFresh', 'everyFailureHasAName']
const ALL = ['oneRedemption', 'durableBeforeUsed', 'onlyTheServerEndsASession', ...ALWAYS]

test('on a server there is memory only, and what it cannot promise is said', async () => {
  const report = await capabilities()
  expect(report).toMatchObject({
    store: 'memory',
    works: true,
    reach: 'page',
    persistence: 'until-the-page-goes',
  })
  expect(report).toMatchObject({ locks: 'none', channels: false, nonExtractableKeys: false })
  expect(holding(report)).toEqual(['oneRedemption', ...ALWAYS])
  expect(report.promises.onlyTheServerEndsASession.why).toContain('reload')
  expect(JSON.parse(JSON.stringify(report))).toEqual(report)
})

test('a private file promises all seven, for all processes, and is left as it was', async () => {
  const store = file(join(tempFolder(), 'tokens.json'))
  const report = await capabilities(store)
  expect(report).toMatchObject({ reach: 'device', persistence: 'durable', locks: 'store', works: true })
  expect(holding(report)).toEqual(ALL)
  expect(await store.keyValue.keys('')).toEqual([])
})

test('storage of a host promises all seven', async () => {
  const kept = new Map<string, string>()
  const store = hostStore({
    get: async key => kept.get(key),
    set: async (key, value) => void kept.set(key, value),
    remove: async key => void kept.delete(key),
  })
  expect(holding(await capabilities(store))).toEqual(ALL)
})

test('a store that takes everything and keeps nothing, or whose lock fails, is found out by trying', async () => {
  const forgetful: Store = {
    ...memory(),
    reach: () => 'origin',
    keyValue: { get: async () => undefined, update: async () => {}, keys: async () => [] },
  }
  const report = await capabilities(forgetful)
  expect(report.works).toBe(false)
  expect(holding(report)).toEqual(ALWAYS)

  const lockless: Store = {
    ...memory(),
    reach: () => 'origin',
    lock: { run: () => Promise.reject(new Error('no')) },
  }
  const other = await capabilities(lockless)
  expect(other.locks).toBe('none')
  expect(other.promises.oneRedemption.holds).toBe(false)
})

test('what never answers does not keep the report waiting', async () => {
  const silent: Store = {
    ...memory(),
    keyValue: { get: () => new Promise(() => {}), update: () => new Promise(() => {}), keys: async () => [] },
    lock: { run: () => new Promise(() => {}) },
  }
  expect(await capabilities(silent)).toMatchObject({ works: false, locks: 'none' })
})
