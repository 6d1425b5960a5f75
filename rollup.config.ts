import { readFileSync, rmSync } from 'node:fs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import type { RollupOptions } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import esbuild from 'rollup-plugin-esbuild'

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))

/** One input per entry in package.json `exports`: the file of its name at the root of src. */
const names = Object.keys(exports).filter(entry => !/\.js(on)?$/.test(entry))
const input = Object.fromEntries(
  names.map(entry => (entry === '.' ? 'index' : entry.slice(2))).map(name => [name, `src/${name}.ts`]),
)

/** Packages stay imports, so that an app has one copy of each. */
const external = (id: string) => !/^[./]/.test(id)

// What an earlier build left would be packed.
rmSync('dist', { recursive: true, force: true })

const build: RollupOptions[] = [
  {
    input,
    external,
    // an entry that uses nothing of a package does not load it
    treeshake: { moduleSideEffects: 'no-external' },
    plugins: [esbuild({ target: 'es2022' })],
    output: {
      dir: 'dist',
      format: 'es',
      sourcemap: true,
      chunkFileNames: 'chunks/[name].js',
      manualChunks: id => {
        // popup() shares it with the second half: the first half without popup() must not load it
        if (id.endsWith('/core/callback.ts')) return 'callback'
        // together, because gzip finds repetitions only within 32 KB: 1.5 % less for an app than among other files
        if (id.includes('/src/authorization/')) return 'authorization'
        return undefined
      },
      onlyExplicitManualChunks: true, // not what it imports
      hoistTransitiveImports: false, // a bundler would warn of each
    },
  },
  {
    input,
    external,
    plugins: [dts()],
    output: { dir: 'dist', format: 'es', chunkFileNames: 'chunks/[name].d.ts' },
  },
  {
    // one file without imports, for a SharedWorker or a service worker as it is
    input: 'src/latchkey-worker.ts',
    plugins: [esbuild({ target: 'es2022', minify: true }), nodeResolve({ browser: true })],
    output: { dir: 'dist', format: 'iife', inlineDynamicImports: true, sourcemap: true },
  },
  {
    input: 'examples/demo/page/main.ts',
    plugins: [esbuild({ target: 'es2022' }), nodeResolve({ browser: true })],
    output: { dir: 'build/demo', format: 'es', sourcemap: true },
  },
]

export default build
