import { parseArgs } from 'node:util'
import { runSchedule, Violation } from './schedule.ts'
import { createCounts } from './world.ts'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
})
const runs = Number(values.runs)
const first = Number(values.seed)
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(first)) {
  console.error(
    'Usage: simulate [--runs=N] [--seed=S], two whole numbers. One run has the seed S, the next S + 1.',
  )
  process.exit(2)
}

const counts = createCounts()
const tenth = Math.max(1, Math.floor(runs / 10))
const began = performance.now()
try {
  for (let index = 0; index < runs; index++) {
    await runSchedule(first + index, { counts })
    if ((index + 1) % tenth === 0) {
      const seconds = ((performance.now() - began) / 1000).toFixed(1)
      console.log(`${index + 1} of ${runs} schedules, ${counts.steps} steps, ${seconds} s`)
    }
  }
} catch (error) {
  if (!(error instanceof Violation)) throw error
  console.error(error.message)
  console.error(`Once more: npm run simulate -- --runs=1 --seed=${error.seed}`)
  process.exitCode = 1
}
const { ended, ...others } = counts
for (const [what, count] of [...Object.entries(others), ...Object.entries(ended)]) {
  console.log(`${what.padEnd(20)} ${count}`)
}
