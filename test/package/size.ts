import { fileURLToPath } from 'node:url'
import { formatSizes, measure, overBudget } from './measure.ts'

const measured = await measure(fileURLToPath(new URL('../..', import.meta.url)))
process.stdout.write(`${formatSizes(measured)}\n`)
for (const problem of overBudget(measured)) {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
}
