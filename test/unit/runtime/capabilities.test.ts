import { describe, expect, test } from 'vitest'
import { type CapabilityReport, capabilities, type Surroundings } from '../../../src/runtime/capabilities.ts'
import { memory } from '../../../src/runtime/memory-store.ts'
import { file } from '../../../src/runtime/node.ts'
import { hostStore } from '../../../src/runtime/webview.ts'
import { withFallback } from '../../../src/store/fallback.ts'
import { memoryKeyValue } from '../../../src/store/memory.ts'
import { handClock } from '../../support/clock.ts'
import { tempFolders } from '../../support/temp-folder.ts'

const tempFolder = tempFolders()

const locks = {
  request: async (_name: string, _options: unknown, run: (lock: unknown) => unknown) => run({}),
}

/** A window of a browser in which everything works. */
const window = (change: Partial<Surroundings> = {}): Surroundings => ({
  clock: handClock(),
  locks: locks as unknown as LockManager,
  subtle: crypto.subtle,
  persisted: async () => true,
  hears: async () => true,
  keeps: async key => key,
  ...change,
})

const shared = () => ({ ...memory(), name: 'indexedDb', isKept: () => true })
const holds = ({ promises }: CapabilityReport) => promises['one-redemption'].holds

describe('a capability report', () => {
  test('of a window in which everything works: all seven promises hold', async () => {
    const report = await capabilities(shared(), window())
    expect(report).toMatchObject({
      store: { name: 'indexedDb', works: true, sharedBy: 'origin', survivesReload: true, persisted: true },
      lock: 'web-locks',
      news: 'broadcast-channel',
      webCrypto: true,
      nonExtractableKeys: true,
    })
    expect(Object.values(report.promises).map(promise => promise.holds)).toEqual(Array(7).fill(true))
    expect(JSON.parse(JSON.stringify(report)).promises).toEqual(report.promises)
    expect(Object.isFrozen(report.promises['one-redemption'])).toBe(true)
  })

  test('of a window without Web Locks and channels tells the lease', async () => {
    const hears = () => Promise.reject(new Error('none'))
    const report = await capabilities(shared(), window({ locks: undefined, hears }))
    expect(report).toMatchObject({ lock: 'lease', news: 'none' })
    expect(report.promises['one-redemption'].why).toContain('lease')
  })

  test('of a frame that may store nothing tells that another place was taken', async () => {
    const refused = () => Promise.reject(new DOMException('insecure', 'SecurityError'))
    const blocked = { get: refused, update: refused, keys: refused }
    const keyValue = withFallback(
      { name: 'IndexedDB', keyValue: blocked },
      { name: 'memory', keyValue: memoryKeyValue() },
    )
    const told: string[] = []
    keyValue.onDegraded(message => told.push(message))
    const store = {
      ...shared(),
      keyValue,
      isKept: () => keyValue.place !== 'memory',
      onDegraded: keyValue.onDegraded,
    }
    const report = await capabilities(store, window({ keeps: refused, subtle: undefined, locks: undefined }))
    expect(report.store).toMatchObject({ works: true, sharedBy: 'realm', survivesReload: false })
    expect(report.store.degraded).toContain('memory')
    expect(told).toEqual([report.store.degraded])
    expect(report).toMatchObject({ webCrypto: false, nonExtractableKeys: false, lock: 'realm' })
    expect(report.promises['durable-before-used'].holds).toBe('until reload')
    expect(holds(report)).toBe('within this realm')
  })

  test('comes in time where nothing ever answers, and says so', async () => {
    const never = () => new Promise<never>(() => {})
    const store = {
      ...shared(),
      keyValue: { get: never, update: never, keys: never },
      lock: { run: never },
    }
    const hanging = { request: never } as unknown as LockManager
    const report = await capabilities(
      store,
      window({
        clock: handClock({ skipUpToMs: 5000 }),
        locks: hanging,
        persisted: never,
        hears: never,
        keeps: never,
      }),
    )
    expect(report).toMatchObject({ store: { works: false }, lock: 'none', nonExtractableKeys: false })
    expect(holds(report)).toBe(false)
  })

  test('of a lock that keeps nobody out: one redemption does not hold', async () => {
    const lock = { run: <T>(_name: string, work: () => Promise<T>) => work() }
    const report = await capabilities({ ...shared(), lock }, window())
    expect(report.lock).toBe('none')
    expect(holds(report)).toBe(false)
  })

  test('of a key that comes back exportable, or not as a key: none is kept', async () => {
    const exportable = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt'])
    for (const found of [exportable, {}, undefined]) {
      const report = await capabilities(shared(), window({ keeps: async () => found }))
      expect(report.nonExtractableKeys).toBe(false)
    }
  })

  test('of a store that latchkey did not make tells only what can be tried', async () => {
    const report = await capabilities({ ...memory(), name: 'mine', isKept: () => true }, window())
    expect(report).toMatchObject({ store: { sharedBy: 'unknown' }, lock: 'own', news: 'own' })
    expect(holds(report)).toBe('unknown')
  })

  test("of a webview with the host's storage", async () => {
    const kept = new Map<string, string>()
    const store = hostStore({
      get: async key => kept.get(key),
      set: async (key, value) => kept.set(key, value),
      remove: async key => kept.delete(key),
    })
    const report = await capabilities(store, window())
    expect(report).toMatchObject({ store: { survivesReload: true, sharedBy: 'realm' }, lock: 'realm' })
  })
})

describe('a capability report of this Node', () => {
  test('by default: memory, nothing is kept', async () => {
    const report = await capabilities()
    expect(report).toMatchObject({
      store: { name: 'memory', works: true, survivesReload: false },
      lock: 'realm',
      news: 'none',
      webCrypto: true,
      nonExtractableKeys: false,
    })
  })

  test('with file(): all processes share it, and all promises hold', async () => {
    const report = await capabilities(file(`${tempFolder()}/tokens.json`))
    expect(report).toMatchObject({ store: { sharedBy: 'processes', survivesReload: true }, lock: 'own' })
    expect(Object.values(report.promises).every(promise => promise.holds === true)).toBe(true)
  })
})
