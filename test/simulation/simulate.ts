import { parseArgs } from 'node:util'
import { runSchedule, Violation } from './schedule.ts'
import { createCounts } from './world.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    all: { type: 'boolean', default: false },
  },
})
const runs = Number(values.runs)
const first = Number(values.seed)
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(first)) {
  console.error(
    'Usage: simulate [--runs=N] [--seed=S] [--all], two whole numbers. One run has the seed S, the next S + 1. ' +
      'It stops at the first violation; with --all it names every seed that has one.',
  )
  process.exit(2)
}

const counts = createCounts()
const tenth = Math.max(1, Math.floor(runs / 10))
const began = performance.now()
let violations = 0
for (let index = 0; index < runs; index++) {
  try {
    await runSchedule(first + index, { counts })
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    process.exitCode = 1
    violations++
    if (values.all) {
      console.error(error.message.slice(0, error.message.indexOf('\n')), `(seed ${error.seed})`)
    } else {
      console.error(error.message)
      console.error(`Once more: npm run simulate -- --runs=1 --seed=${error.seed}`)
      break
    }
  }
  if ((index + 1) % tenth === 0) {
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    console.log(`${index + 1} of ${runs} schedules, ${counts.steps} steps, ${seconds} s`)
  }
}
const { ended, met, ...others } = counts
const table = (rows: object) => {
  for (const [what, count] of Object.entries(rows)) console.log(`  ${what.padEnd(30)} ${count}`)
}
console.log('in all schedules:')
table({ ...others, ...ended, violations })
console.log('schedules that met:')
table(met)
