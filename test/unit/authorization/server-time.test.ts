import { describe, expect, test } from 'vitest'
import { createServerTime } from '../../../src/authorization/endpoint.ts'
import { handClock } from '../../support/clock.ts'

const HOUR = 3_600_000
const START = Date.parse('2026-11-22T10:00:00Z')

/** A server whose responses have these dates, or none. */
function dated(...aheads: (number | string | undefined)[]) {
  const clock = handClock({ startAt: START })
  const time = createServerTime(clock)
  let date: string | undefined
  const send = time.watch(async () => new Response(null, { headers: date === undefined ? {} : { date } }))
  const see = async (ahead: number | string | undefined) => {
    date = typeof ahead === 'number' ? new Date(START + ahead).toUTCString() : ahead
    await send('https://id.example.com/token', {})
  }
  const all = aheads.reduce((last: Promise<void>, ahead) => last.then(() => see(ahead)), Promise.resolve())
  return { time, see, seen: all }
}

describe("the server's clock", () => {
  test.each<[string, (number | string | undefined)[], number]>([
    ['nothing', [], 0],
    ['a response without a Date', [undefined], 0],
    ['an invalid Date', ['soon'], 0],
    ['a Date', [HOUR], HOUR],
    ['a Date that is three years off, which is ignored', [3 * 365 * 24 * HOUR], 0],
    ['one Date of several that is a day off', [HOUR, HOUR, 24 * HOUR, HOUR, HOUR], HOUR],
    ['newer ones that all agree on another time', [0, 0, 0, 0, HOUR, HOUR, HOUR], HOUR],
  ])('is derived from %s [MX13]', async (_what, aheads, expected) => {
    const { time, seen } = dated(...aheads)
    await seen
    expect(time.aheadMs()).toBe(expected)
  })

  test('prefers an ID Token to a Date that disagrees with it [MX13]', async () => {
    const { time, seen, see } = dated(24 * HOUR, 24 * HOUR)
    await seen
    time.learn(HOUR)
    expect(time.aheadMs()).toBe(HOUR)
    await see(24 * HOUR)
    await see(24 * HOUR)
    expect(time.aheadMs()).toBe(HOUR)
    await see(HOUR + 2000)
    expect(time.aheadMs()).toBe(HOUR + 2000)
  })
})
