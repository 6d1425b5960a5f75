import { fileURLToPath } from 'node:url'
import { formatLazySizes, measureLazy } from './lazy-size.ts'
import { formatSizes, measure, overBudget } from './measure.ts'

const folder = fileURLToPath(new URL('../..', import.meta.url))
const measured = await measure(folder)
process.stdout.write(`${formatSizes(measured)}\n`)
process.stdout.write(`\n${formatLazySizes(await measureLazy(folder))}\n`)
for (const problem of overBudget(measured)) {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
}
