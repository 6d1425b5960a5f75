import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/**
 * Imports `bench/support/<name>.ts` as an app runs it on Node: in one file of plain JavaScript. tsx, which runs the bench
 * itself, gives every function its name anew each time it is made, and that would be measured too.
 */
export async function importBundled<T>(name: string): Promise<T> {
  const outfile = fromRoot(`build/bench/${name}.mjs`)
  await build({
    entryPoints: [fromRoot(`bench/support/${name}.ts`)],
    alias: { latchkey: fromRoot('src/index.ts'), 'latchkey/node': fromRoot('src/node.ts') },
    outfile,
    bundle: true,
    packages: 'external',
    format: 'esm',
    target: 'es2022',
    platform: 'node',
    logLevel: 'error',
  })
  return import(pathToFileURL(outfile).href)
}
