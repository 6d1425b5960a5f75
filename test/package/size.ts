import { fileURLToPath } from 'node:url'
import { formatLazySizes, measureLazy } from './lazy-size.ts'
import { formatSizes, measure, overBudget } from './measure.ts'
import { formatModules, measureModules } from './modules.ts'

const folder = fileURLToPath(new URL('../..', import.meta.url))
if (process.argv.includes('--modules')) {
  for (const entry of ['index', 'lazy'])
    process.stdout.write(`${formatModules(entry, await measureModules(folder, entry))}\n`)
} else {
  const measured = await measure(folder)
  process.stdout.write(`${formatSizes(measured)}\n`)
  process.stdout.write(`\n${formatLazySizes(await measureLazy(folder))}\n`)
  for (const problem of overBudget(measured)) {
    process.stderr.write(`${problem}\n`)
    process.exitCode = 1
  }
}
