import { expect, test } from 'vitest'
import { createEventLog } from '../../../src/core/event-log.ts'
import type { EventBody } from '../../../src/core/events.ts'
import { handClock } from '../../../src/testing/clock.ts'

/** An event that counts how often it is copied. */
function counted() {
  let copies = 0
  const body = {
    get type() {
      copies++
      return 'session-started' as const
    },
    subject: 'alice',
  } satisfies EventBody
  return { body, copies: () => copies }
}

test('an event is not built as long as nobody reads it [F7.1]', () => {
  const log = createEventLog(handClock(), 'here')
  const { body, copies } = counted()
  log.emit(body)
  expect(copies()).toBe(0)
  expect(log.explain({ status: 'starting' }, undefined).events).toMatchObject([{ subject: 'alice' }])
  expect(copies()).toBe(1)
})

test('all listeners receive the same event, after the code that emitted it', async () => {
  const clock = handClock()
  const log = createEventLog(clock, 'here')
  const received: unknown[] = []
  log.subscribe(event => received.push(event))
  log.subscribe(event => received.push(event))
  log.emit({ type: 'session-started', subject: 'alice' })
  expect(received).toEqual([])
  await Promise.resolve()
  expect(received).toEqual(Array(2).fill({ at: clock.now(), type: 'session-started', subject: 'alice' }))
  expect(received[0]).toBe(received[1])
  expect(Object.isFrozen(received[0])).toBe(true)
})
