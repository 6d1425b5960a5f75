import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { ensureRuntimes, folder, nodeFolder } from './install.ts'

/** Another JavaScript runtime than the one that runs the tests. */
export interface Runtime {
  readonly name: string
  readonly program: string
  /** The arguments before the script. */
  readonly args: readonly string[]
}

declare module 'vitest' {
  interface ProvidedContext {
    runtimes: readonly Runtime[]
  }
}

const own = (name: string, path: string) => join(folder, 'node_modules', name, path)

const runtimes: readonly Runtime[] = [
  { name: 'Node 20.19', program: join(nodeFolder('node-20'), 'node'), args: [] },
  { name: 'Node 22', program: join(nodeFolder('node-22'), 'node'), args: [] },
  { name: 'Node 24', program: join(nodeFolder('node-24'), 'node'), args: [] },
  { name: 'Node 26', program: join(nodeFolder('node-26'), 'node'), args: [] },
  { name: 'Bun', program: own('.bin', 'bun'), args: [] },
  {
    name: 'Deno',
    program: own('.bin', 'deno'),
    args: ['run', '-A', '--no-config', '--node-modules-dir=manual'],
  },
]

export async function setup(project: TestProject): Promise<void> {
  await ensureRuntimes()
  project.provide('runtimes', runtimes)
}
