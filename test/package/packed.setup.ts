import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { runCommand } from '../support/command.ts'
import { link } from './installed.ts'

/** The package as users get it, in an otherwise empty app. */
export interface Packed {
  readonly tarball: string
  /** An empty app with latchkey and its dependencies in node_modules. */
  readonly app: string
  /** The folder of latchkey in that app. */
  readonly folder: string
}

declare module 'vitest' {
  interface ProvidedContext {
    packed: Packed
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const temporary = mkdtempSync(join(tmpdir(), 'latchkey-package-'))

async function run(program: string, args: string[], cwd: string): Promise<void> {
  const { code, output } = await runCommand(program, args, { cwd, timeoutMs: 120_000 })
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${output}`)
}

/** Packs latchkey and unpacks it into an empty app, without network access. */
export async function setup(project: TestProject): Promise<void> {
  const app = join(temporary, 'app')
  const folder = join(app, 'node_modules', 'latchkey')
  mkdirSync(folder, { recursive: true })
  // A full run has just built the package. A second build in between would give the same result.
  if (!process.env.LATCHKEY_BUILT) await run('npm', ['run', '--silent', 'build'], root)
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', temporary], root)
  const tarball = readdirSync(temporary).find(file => file.endsWith('.tgz'))
  if (!tarball) throw new Error('npm pack left no tarball.')
  await run('tar', ['-xzf', join(temporary, tarball), '--strip-components', '1', '-C', folder], temporary)

  // Only what latchkey declares: a dependency that is missing in its package.json is missing here too. The optional
  // peers that entries import are there as in an app that uses those entries.
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>
    peerDependencies?: Record<string, string>
  }
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) link(app, name)
  link(app, '@angular/compiler') // must be imported first if no build of an app has linked Angular's packages
  project.provide('packed', { tarball: join(temporary, tarball), app, folder })
}

export function teardown(): void {
  rmSync(temporary, { recursive: true, force: true })
}
