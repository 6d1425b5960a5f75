import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { clients } from './clients.ts'
import { runsOf } from './hostile.ts'
import { parsers } from './parsers.ts'
import { resourceServer } from './resource-server.ts'

// The long form of the properties: `npm run fuzz -- --runs=N --seed=S --minutes=M`. It ends by itself. Its exit status is 1
// for a counterexample, and if the time was too short for all runs.

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    minutes: { type: 'string', default: '60' },
  },
})
const numberOf = (name: keyof typeof values, least: number, most: number): number => {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= least && number <= most) return number
  throw new Error(`"--${name}" must be a whole number from ${least} to ${most}; got ${values[name]}.`)
}
const runs = numberOf('runs', 1, 10_000_000)
const seed = numberOf('seed', -(2 ** 31), 2 ** 31 - 1)
const until = Date.now() + numberOf('minutes', 1, 600) * 60_000

console.log(`seed ${seed}, ${runs} runs of each property; of those that make a whole client, a share`)
for (const target of [...parsers, ...clients, ...resourceServer]) {
  const started = Date.now()
  const numRuns = runsOf(target, runs)
  const details = await fc.check(target.property() as fc.IAsyncProperty<[unknown]>, {
    numRuns,
    seed,
    interruptAfterTimeLimit: Math.max(1, until - started),
    markInterruptAsFailure: false,
  })
  const share = target.oneOf === 1 ? '' : ` (1 of ${target.oneOf})`
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  const end = details.failed ? 'FAILED' : details.interrupted ? 'OUT OF TIME' : 'ok'
  console.log(`${end.padEnd(11)} ${target.name}: ${details.numRuns} runs${share}, ${seconds} s`)
  if (details.failed) console.error(fc.defaultReportMessage(details))
  if (end !== 'ok') process.exitCode = 1
}
console.log(process.exitCode ? 'not all is well' : 'no counterexample')
process.exit()
