import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from './command.ts'

/** The files that npm reads. */
export interface Manifest {
  /** The text of a `package.json`. */
  readonly manifest: string
  /** The text of its `package-lock.json`. */
  readonly lock?: string
}

/** Installs npm packages into a separate folder, unless they are already installed. @throws Error with one sentence. */
export async function installOnce(folder: string, { manifest, lock }: Manifest): Promise<void> {
  const done = join(folder, 'installed.json')
  const wanted = manifest + (lock ?? '')
  if (existsSync(done) && readFileSync(done, 'utf8') === wanted) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), manifest)
  if (lock) writeFileSync(join(folder, 'package-lock.json'), lock)
  // none of the packages with a lock file needs an install script
  const command = lock ? ['ci', '--ignore-scripts'] : ['install']
  const { code, output } = await runCommand('npm', [...command, '--no-audit', '--no-fund', '--silent'], {
    cwd: folder,
    timeoutMs: 300_000,
  })
  if (code !== 0) throw new Error(`What ${folder} needs could not be installed: ${output}`)
  writeFileSync(done, wanted)
}
