import { rmSync } from 'node:fs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import type { RollupOptions } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import esbuild from 'rollup-plugin-esbuild'

/** One input per entry in package.json `exports`. */
const input = {
  index: 'src/index.ts',
  node: 'src/runtime/node.ts',
  webview: 'src/runtime/webview.ts',
  ky: 'src/ky.ts',
  sealed: 'src/runtime/sealed.ts',
  capabilities: 'src/runtime/capabilities.ts',
  dpop: 'src/runtime/dpop.ts',
  'front-channel-logout': 'src/actions/front-channel-logout.ts',
}

/** Packages stay imports, so that an app has one copy of each. */
const external = (id: string) => !/^[./]/.test(id)

// What an earlier build left would be packed.
rmSync('dist', { recursive: true, force: true })

const build: RollupOptions[] = [
  {
    input,
    external,
    plugins: [esbuild({ target: 'es2022' })],
    output: { dir: 'dist', format: 'es', sourcemap: true, chunkFileNames: 'chunks/[name].js' },
  },
  {
    input,
    external,
    plugins: [dts()],
    output: { dir: 'dist', format: 'es', chunkFileNames: 'chunks/[name].d.ts' },
  },
  {
    input: 'examples/demo/page/main.ts',
    plugins: [esbuild({ target: 'es2022' }), nodeResolve({ browser: true })],
    output: { dir: 'build/demo', format: 'es', sourcemap: true },
  },
]

export default build
