import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { properties } from './properties.ts'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '100000' }, seed: { type: 'string' } },
})
const runs = Number(values.runs)
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed)) {
  console.error(
    'Usage: fuzz [--runs=N] [--seed=S], two whole numbers. N: of each parser, less of what takes longer.',
  )
  process.exit(2)
}

/** Each property at most, whatever N says. */
const MINUTES = 5

console.log(`seed ${seed}`)
for (const { name, cost, make } of properties) {
  const began = performance.now()
  const numRuns = Math.max(1, Math.round(runs / cost))
  const result = await fc.check(await make(), {
    numRuns,
    seed,
    interruptAfterTimeLimit: MINUTES * 60_000,
  })
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${result.failed ? 'FAILED' : 'ok'}  ${name}: ${result.numRuns} runs, ${seconds} s`)
  if (result.failed && result.counterexample) {
    console.error(fc.stringify(result.counterexample), result.errorInstance)
    process.exitCode = 1
  }
}
