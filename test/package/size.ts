import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatLazySizes, measureLazy } from './lazy-size.ts'
import { formatSizes, type Measured, measure, overBudget, writeSizes } from './measure.ts'
import { formatModules, measureModules } from './modules.ts'

/** The entries that README.md shows. */
const MAIN = ['', '/node', '/webview', '/react', '/grants', '/resource-server']
const isMain = ({ what }: Measured) => MAIN.includes(/^latchkey(\/[\w-]+)?/.exec(what)?.[1] ?? '')

const folder = fileURLToPath(new URL('../..', import.meta.url))
if (process.argv.includes('--modules')) {
  for (const entry of ['index', 'lazy'])
    process.stdout.write(`${formatModules(entry, await measureModules(folder, entry))}\n`)
} else {
  const measured = await measure(folder)
  const lazy = await measureLazy(folder)
  process.stdout.write(`${formatSizes(measured)}\n`)
  process.stdout.write(`\n${formatLazySizes(lazy)}\n`)
  for (const problem of overBudget(measured)) {
    process.stderr.write(`${problem}\n`)
    process.exitCode = 1
  }
  if (process.argv.includes('--write')) {
    const entries = measured.filter(({ budget }) => budget !== undefined)
    const firsts = lazy.map(({ first }) => (first / 1024).toFixed(1)).sort((a, b) => Number(a) - Number(b))
    const range = `${firsts[0]} to ${firsts.at(-1)} KB`
    const write = (name: string, shown: readonly Measured[]) => {
      const path = join(folder, name)
      const text = writeSizes(readFileSync(path, 'utf8'), shown)
      writeFileSync(path, text.replace(/(\*\*first load\*\*: )[\d.]+ to [\d.]+ KB/, `$1${range}`))
    }
    write('README.md', entries.filter(isMain))
    write('docs/sizes.md', entries)
  }
}
