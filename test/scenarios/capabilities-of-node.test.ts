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

test('a server has only memory, and the report names what memory cannot guarantee', async () => {
  const report = await capabilities()
  expect(report).toMatchObject({
    store: 'memory',
    works: true,
    reach: 'page',
    persistence: 'until-the-page-goes',
  })
  expect(report).toMatchObject({ locks: 'none', channels: true, nonExtractableKeys: false })
  expect(holding(report)).toEqual(['oneRedemption', ...ALWAYS])
  expect(report.promises.onlyTheServerEndsASession.why).toContain('reload')
  expect(JSON.parse(JSON.stringify(report))).toEqual(report)
})

test('a private file guarantees all seven capabilities for all processes, and the report leaves it unchanged', async () => {
  const store = file(join(tempFolder(), 'tokens.json'))
  const report = await capabilities(store)
  expect(report).toMatchObject({ reach: 'device', persistence: 'durable', locks: 'store', works: true })
  expect(holding(report)).toEqual(ALL)
  expect(await store.keyValue.keys('')).toEqual([])
})

test('a store that the host provides guarantees all seven capabilities', async () => {
  const kept = new Map<string, string>()
  const store = hostStore({
    get: async key => kept.get(key),
    set: async (key, value) => void kept.set(key, value),
    remove: async key => void kept.delete(key),
  })
  expect(holding(await capabilities(store))).toEqual(ALL)
})

test('the report detects a store that loses what it accepts, and a lock that fails, by trying them', async () => {
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

test('the report does not wait for a store that never responds', async () => {
  const silent: Store = {
    ...memory(),
    keyValue: { get: () => new Promise(() => {}), update: () => new Promise(() => {}), keys: async () => [] },
    lock: { run: () => new Promise(() => {}) },
  }
  expect(await capabilities(silent)).toMatchObject({ works: false, locks: 'none' })
})
