import { afterAll, describe, expect, test } from 'vitest'
import { leaseLock } from '../../src/lock/lease.ts'
import { localLock } from '../../src/lock/local.ts'
import { webLock } from '../../src/lock/web.ts'
import { deviceClock } from '../../src/platform/device.ts'
import { indexedDbKeyValue } from '../../src/storage/indexeddb.ts'
import { memoryKeyValue } from '../../src/storage/memory.ts'
import { lockContract } from '../contracts/lock.ts'
import { handClock } from '../support/clock.ts'

const databases: string[] = []
const place = () => indexedDbKeyValue(databases.at(-1) as string, deviceClock)

afterAll(() => {
  for (const database of databases) indexedDB.deleteDatabase(database)
})

lockContract('localLock', { create: () => localLock(deviceClock) })

lockContract('webLock', {
  create: () => webLock(navigator.locks, deviceClock, localLock(deviceClock)),
  again: () => webLock(navigator.locks, deviceClock, localLock(deviceClock)),
})

lockContract('leaseLock over IndexedDB', {
  create() {
    databases.push(`latchkey test ${crypto.randomUUID()}`)
    return leaseLock(place(), deviceClock)
  },
  again: () => leaseLock(place(), deviceClock),
})

describe('webLock with a slow holder', () => {
  const WAIT_MS = 15_000

  /** Several tabs over the real Web Locks, with a clock that the test moves. */
  function tabs(manager: LockManager = navigator.locks) {
    const name = `latchkey test ${crypto.randomUUID()}`
    const clock = handClock()
    const lease = leaseLock(memoryKeyValue(), clock)
    const entered: string[] = []
    const inside = new Set<string>()
    let most = 0
    return {
      name,
      entered,
      most: () => most,
      /** Advances the clock and lets every waiting tab query the locks. */
      async pass(ms: number) {
        for (let left = ms; left > 0; left -= 100) {
          clock.advance(100)
          await navigator.locks.query()
        }
      },
      tab() {
        const lock = webLock(manager, clock, lease)
        return (who: string) => {
          let letGo = () => {}
          const hold = new Promise<void>(resolve => {
            letGo = resolve
          })
          const work = async () => {
            entered.push(who)
            inside.add(who)
            most = Math.max(most, inside.size)
            await hold
            inside.delete(who)
            return who
          }
          const outcome = lock.run(name, work, WAIT_MS).catch((error: { code: string }) => error.code)
          return { letGo, outcome }
        }
      },
    }
  }

  /** A tab that was granted the lock and no longer runs. */
  const frozenHolder = (name: string) =>
    new Promise<() => void>(held => {
      void navigator.locks.request(name, () => new Promise<void>(held))
    })

  test('waits for a holder that took over from a slow one, and does not bypass it [F1.1]', async () => {
    const { tab, pass, entered, most } = tabs()
    const first = tab()('first')
    await pass(100)
    const second = tab()('second')
    await pass(100)
    const third = tab()('third')
    await pass(7800)
    first.letGo()
    expect(await first.outcome).toBe('first')
    await expect.poll(() => entered).toEqual(['first', 'second'])
    await pass(7700)
    expect(await third.outcome).toBe('ERR_LOCK_TIMEOUT')
    second.letGo()
    expect(await second.outcome).toBe('second')
    expect(entered).toEqual(['first', 'second'])
    expect(most()).toBe(1)
  })

  test('does not treat one tab that acquires the lock repeatedly as frozen [F1.1]', async () => {
    const { tab, pass, entered, most } = tabs()
    const busy = tab()
    const turns = ['one', 'two', 'three'].map(busy)
    await pass(100)
    const waiting = tab()('waiting')
    for (const turn of turns) {
      await pass(6000)
      turn.letGo()
      await turn.outcome
    }
    expect(await waiting.outcome).toBe('ERR_LOCK_TIMEOUT')
    expect(entered).toEqual(['one', 'two', 'three'])
    expect(most()).toBe(1)
  })

  test('bypasses a holder that exceeded the time limit while being watched, for one tab at a time [F1.1]', async () => {
    const { name, tab, pass, entered, most } = tabs()
    const thaw = await frozenHolder(name)
    const [mine, other] = [tab(), tab()]
    const first = mine('first')
    await pass(100)
    const second = other('second')
    await pass(12_000)
    expect(entered).toEqual([])
    await pass(1500)
    expect(entered).toEqual(['first'])
    thaw()
    await pass(500)
    const next = tab()('next')
    await pass(400)
    first.letGo()
    expect(await first.outcome).toBe('first')
    await pass(500)
    second.letGo()
    expect(await second.outcome).toBe('second')
    await pass(100)
    next.letGo()
    expect(await next.outcome).toBe('next')
    expect(most()).toBe(1)
  })

  test('needs no second wait after a frozen holder was bypassed once', async () => {
    const { name, tab, pass, entered, most } = tabs()
    const thaw = await frozenHolder(name)
    const mine = tab()
    const first = mine('first')
    await pass(14_000)
    first.letGo()
    expect(await first.outcome).toBe('first')
    const again = mine('again')
    await pass(100)
    expect(entered).toEqual(['first', 'again'])
    thaw()
    await pass(100)
    const other = tab()('other')
    await pass(100)
    expect(entered).toEqual(['first', 'again'])
    again.letGo()
    await again.outcome
    await expect.poll(() => entered).toEqual(['first', 'again', 'other'])
    other.letGo()
    expect(most()).toBe(1)
  })

  test.each<[string, () => Promise<LockManagerSnapshot>]>([
    ['is rejected', () => Promise.reject(new DOMException('not here', 'SecurityError'))],
    ['never arrives', () => new Promise(() => {})],
  ])('waits for the holder if the query for held locks %s [F1.1]', async (_what, query) => {
    const request = navigator.locks.request.bind(navigator.locks)
    const { name, tab, pass, entered } = tabs({ request, query } as LockManager)
    const thaw = await frozenHolder(name)
    const first = tab()('first')
    await pass(15_000)
    expect(await first.outcome).toBe('ERR_LOCK_TIMEOUT')
    expect(entered).toEqual([])
    thaw()
    const second = tab()('second')
    await expect.poll(() => entered).toEqual(['second'])
    second.letGo()
    await second.outcome
  })
})
