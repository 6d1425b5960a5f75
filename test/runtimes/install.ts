import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../support/command.ts'

// They are npm packages, but too large for everyone's node_modules: installed by the first run that needs them.
const packages = {
  'node-22': 'npm:node@22.23.3',
  'node-24': 'npm:node@24.21.0',
  'node-26': 'npm:node@26.10.0',
  bun: '1.4.5',
  deno: '2.9.6',
}
export const folder = fileURLToPath(new URL('../../build/runtimes', import.meta.url))
/** Installs what is missing, which takes a minute. @throws Error with one sentence where that cannot be done. */
export async function ensureRuntimes(): Promise<void> {
  const manifest = JSON.stringify({ private: true, dependencies: packages })
  const done = join(folder, 'installed.json')
  if (existsSync(done) && readFileSync(done, 'utf8') === manifest) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), manifest)
  const { code, output } = await runCommand('npm', ['install', '--no-audit', '--no-fund', '--silent'], {
    cwd: folder,
    timeoutMs: 300_000,
  })
  if (code !== 0) throw new Error(`The other runtimes could not be installed: ${output}`)
  writeFileSync(done, manifest)
}
