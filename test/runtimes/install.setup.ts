import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { runCommand } from '../support/command.ts'

/** A JavaScript runtime beside the one that runs the tests. */
export interface Runtime {
  readonly name: string
  readonly program: string
  /** What stands before the script. */
  readonly args: readonly string[]
}

declare module 'vitest' {
  interface ProvidedContext {
    runtimes: readonly Runtime[]
  }
}

// They are npm packages, but too large for everyone's node_modules: installed by the first run that needs them.
const packages = {
  'node-22': 'npm:node@22.23.3',
  'node-24': 'npm:node@24.21.0',
  'node-26': 'npm:node@26.10.0',
  bun: '1.4.5',
  deno: '2.9.6',
}
const folder = fileURLToPath(new URL('../../build/runtimes', import.meta.url))
const own = (name: string, path: string) => join(folder, 'node_modules', name, path)

const runtimes: readonly Runtime[] = [
  { name: 'Node 22', program: own('node-22', 'bin/node'), args: [] },
  { name: 'Node 24', program: own('node-24', 'bin/node'), args: [] },
  { name: 'Node 26', program: own('node-26', 'bin/node'), args: [] },
  { name: 'Bun', program: own('.bin', 'bun'), args: [] },
  {
    name: 'Deno',
    program: own('.bin', 'deno'),
    args: ['run', '-A', '--no-config', '--node-modules-dir=manual'],
  },
]

export async function setup(project: TestProject): Promise<void> {
  if (!runtimes.every(({ program }) => existsSync(program))) {
    mkdirSync(folder, { recursive: true })
    const manifest = { private: true, dependencies: packages }
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
    const { code, output } = await runCommand('npm', ['install', '--no-audit', '--no-fund', '--silent'], {
      cwd: folder,
      timeoutMs: 300_000,
    })
    if (code !== 0) throw new Error(`The other runtimes could not be installed: ${output}`)
  }
  project.provide('runtimes', runtimes)
}
