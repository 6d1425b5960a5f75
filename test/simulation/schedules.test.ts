import { expect, test } from 'vitest'
import { runSchedule } from './schedule.ts'
import { createCounts } from './world.ts'

const RUNS = 2000
/** Fixed, so that a change is tested separately from the seed; LATCHKEY_SEED=… uses other schedules. */
const SEED = Number(process.env.LATCHKEY_SEED ?? 1)

test(`${RUNS} schedules from seed ${SEED} violate no invariant [F1.7]`, { timeout: 300_000 }, async () => {
  const counts = createCounts()
  console.log(`simulation: ${RUNS} schedules from seed ${SEED} on`)
  for (let index = 0; index < RUNS; index++) await runSchedule(SEED + index, { counts })
  const { ended, met, ...others } = counts
  console.log('simulation:', JSON.stringify({ ...others, ...ended, met }))

  expect(counts.schedules).toBe(RUNS)
  for (const [what, count] of Object.entries(others)) expect(count, what).toBeGreaterThan(10)
  for (const [fault, count] of Object.entries(met)) expect(count, fault).toBeGreaterThan(0)
  for (const reason of ['signed_out', 'replaced', 'expired', 'refresh_interrupted'] as const) {
    expect(ended[reason], reason).toBeGreaterThan(10)
  }
})

test('a schedule runs the same way every time', async () => {
  const first = await runSchedule(SEED)
  const again = await runSchedule(SEED)
  expect(first.trace.length).toBeGreaterThan(10)
  expect(again.trace).toEqual(first.trace)
})
