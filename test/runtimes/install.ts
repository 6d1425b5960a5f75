import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOnce } from '../support/install.ts'

// They are npm packages, but too large for every node_modules: the first run that needs them installs them.
const packages = {
  /** The lowest that `engines` of package.json allows. */
  'node-20': 'npm:node@20.19.0',
  'node-22': 'npm:node@22.23.3',
  'node-24': 'npm:node@24.21.0',
  'node-26': 'npm:node@26.10.0',
  bun: '1.4.5',
  deno: '2.9.6',
  workerd: '1.20261117.1',
}
export const folder = fileURLToPath(new URL('../../build/runtimes', import.meta.url))

/** The folder of another Node version. */
export const nodeFolder = (name: keyof typeof packages) => join(folder, 'node_modules', name, 'bin')

/** Installs missing runtimes, which takes a minute. @throws Error with one sentence if that fails. */
export const ensureRuntimes = (): Promise<void> =>
  installOnce(folder, { manifest: JSON.stringify({ private: true, dependencies: packages }) })
