import { expect, test } from 'vitest'
import { LEASE_MS } from '../../../src/core/lock-times.ts'
import type { KeyValue } from '../../../src/core/ports.ts'
import { leaseLock } from '../../../src/lock/lease.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { type HandClock, handClock } from '../../support/clock.ts'
import { gate, turn } from '../../support/gate.ts'

/** Runs the timers of the next `ms` milliseconds, and what waits for them. */
async function pass(clock: HandClock, ms: number) {
  clock.advance(ms)
  await turn()
}

/** What a tab does while it holds the lock. */
function holding() {
  const done = gate()
  const inside: string[] = []
  const hold = (who: string) => async () => {
    inside.push(who)
    await done.opened
  }
  return { inside, hold, done }
}

test('a lease that a frozen tab acquires again, after it thawed, is not the one that another tab has seen expire', async () => {
  const [clock, otherClock] = [handClock(), handClock()]
  const place = memoryKeyValue()
  const thaw = gate()
  let writes = 0
  /** Its first write is stored, and then the tab freezes. */
  const freezing: KeyValue = {
    ...place,
    async update(key, change) {
      await place.update(key, change)
      if (++writes === 1) await thaw.opened
    },
  }
  const { inside, hold, done } = holding()
  const first = leaseLock(freezing, clock).run('refresh', hold('frozen'), 60_000)
  const second = leaseLock(place, otherClock).run('refresh', hold('other'), 60_000)
  await turn() // the other tab has seen the lease, and freezes as well
  clock.advance(LEASE_MS)
  thaw.open() // too little of the lease is left: it is given back and acquired again
  await turn()
  await pass(clock, 100)
  expect(inside).toEqual(['frozen'])
  await pass(otherClock, LEASE_MS)
  expect(inside).toEqual(['frozen'])

  done.open()
  await first
  otherClock.advance(100)
  await second
  expect(inside).toEqual(['frozen', 'other'])
})

test('a release that takes effect late does not release the lease that was acquired after it', async () => {
  const clock = handClock()
  const place = memoryKeyValue()
  const late = gate()
  let writes = 0
  /** Its first write takes too long. The second one, which gives the lease back, is rejected and takes effect later. */
  const slow: KeyValue = {
    ...place,
    async update(key, change) {
      writes++
      if (writes === 2) {
        void late.opened.then(() => place.update(key, change))
        throw new Error('It took too long.')
      }
      await place.update(key, change)
      if (writes === 1) clock.advance(3000)
    },
  }
  const { inside, hold, done } = holding()
  const first = leaseLock(slow, clock).run('refresh', hold('slow'), 60_000)
  await turn()
  await pass(clock, 100) // it sees the lease that it could not give back
  await pass(clock, LEASE_MS)
  await pass(clock, 100)
  expect(inside).toEqual(['slow'])
  late.open()
  await turn()
  const second = leaseLock(place, clock).run('refresh', hold('other'), 60_000)
  await turn()
  expect(inside).toEqual(['slow'])

  done.open()
  await first
  clock.advance(100)
  await second
  expect(inside).toEqual(['slow', 'other'])
})
