import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../support/command.ts'

const from = fileURLToPath(new URL('.', import.meta.url))
const folder = fileURLToPath(new URL('../../build/firebase', import.meta.url))
export const firebaseTools = join(folder, 'node_modules/firebase-tools/lib/bin/firebase.js')

/** Installs firebase-tools (240 MB) if it is missing. @throws Error with one sentence if that fails. */
export async function ensureFirebaseTools(): Promise<void> {
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '')
  const [wanted, done] = [join(from, 'package-lock.json'), join(folder, 'installed.json')]
  if (read(done) === read(wanted)) return
  mkdirSync(folder, { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(from, name), join(folder, name))
  // none of its packages needs its install script
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent']
  const { code, output } = await runCommand('npm', args, { cwd: folder, timeoutMs: 300_000 })
  if (code !== 0) throw new Error(`The Firebase emulator could not be installed: ${output}`)
  copyFileSync(wanted, done)
}
