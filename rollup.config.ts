import { rmSync } from 'node:fs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import type { RollupOptions } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import esbuild from 'rollup-plugin-esbuild'

/** One input per entry in package.json `exports`. */
const input = {
  index: 'src/index.ts',
  node: 'src/node.ts',
  webview: 'src/webview.ts',
  ky: 'src/ky.ts',
  sealed: 'src/sealed.ts',
  'client-authentication': 'src/extensions/client-authentication.ts',
  par: 'src/extensions/par.ts',
  rar: 'src/extensions/rar.ts',
  userinfo: 'src/actions/userinfo.ts',
  capabilities: 'src/platform/browser/capabilities.ts',
  dpop: 'src/dpop.ts',
  'front-channel-logout': 'src/actions/front-channel-logout.ts',
  'back-channel-logout': 'src/actions/back-channel-logout.ts',
  'third-party-login': 'src/actions/third-party-login.ts',
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
