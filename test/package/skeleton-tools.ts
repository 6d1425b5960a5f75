import { cpSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureRuntimes, nodeFolder } from '../runtimes/install.ts'
import { runCommand } from '../support/command.ts'
import { installOnce } from '../support/install.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const skeletons = join(root, 'examples', 'skeletons')

/** Skeleton apps that are built with a separate tool, and the folder that it writes. */
const outputs = { sveltekit: 'build', angular: 'dist', nextjs: 'out' } as const
export type SkeletonWithTool = keyof typeof outputs

const folderOf = (name: SkeletonWithTool) => join(root, 'build', 'skeletons', name)

/** Installs the missing tools, which takes a minute. @throws Error with one sentence if that fails. */
export async function ensureSkeletonTools(): Promise<void> {
  await ensureRuntimes()
  for (const name of Object.keys(outputs) as SkeletonWithTool[]) {
    const read = (file: string) => readFileSync(join(skeletons, name, file), 'utf8')
    await installOnce(folderOf(name), { manifest: read('package.json'), lock: read('package-lock.json') })
  }
}

/**
 * Builds a skeleton app with its own tool.
 * @param latchkey the unpacked package.
 * @returns the folder of the app's files.
 */
export async function buildSkeleton(
  name: SkeletonWithTool,
  latchkey: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const cwd = folderOf(name)
  const output = join(cwd, outputs[name])
  const modules = join(cwd, 'node_modules')
  for (const old of [join(cwd, 'src'), join(cwd, 'app'), output, join(modules, 'latchkey')])
    rmSync(old, { recursive: true, force: true })
  cpSync(join(skeletons, name), cwd, { recursive: true })
  // copied, not linked: some tools read nothing outside their folder
  cpSync(latchkey, join(modules, 'latchkey'), { recursive: true })
  for (const dependency of ['oauth4webapi', 'idb-keyval'])
    cpSync(join(root, 'node_modules', dependency), join(modules, dependency), { recursive: true })
  // SvelteKit 3 and Angular 22 require a newer Node than latchkey
  const PATH = [nodeFolder('node-24'), process.env.PATH].join(delimiter)
  const built = await runCommand('npm', ['run', '--silent', 'build'], {
    cwd,
    env: { ...env, PATH, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
    timeoutMs: 240_000,
  })
  if (built.code !== 0) throw new Error(`The skeleton app ${name} cannot be built:\n${built.output}`)
  return output
}
