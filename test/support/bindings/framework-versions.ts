import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Metafile, type Plugin } from 'esbuild'
import { installOnce } from '../install.ts'

declare module 'vitest/browser' {
  interface BrowserCommands {
    bundleBindings: typeof bundleBindings
  }
}

const root = fileURLToPath(new URL('../../..', import.meta.url))

const angular = (version: string) =>
  Object.fromEntries(
    ['common', 'compiler', 'core', 'platform-browser', 'router'].map(name => [`@angular/${name}`, version]),
  )

/** Versions of frameworks and routers that no other test uses, and the tests that use them. */
const sets = {
  oldest: {
    tests: [
      ...['angular', 'angular-router', 'react', 'react-router', 'react-router-loader'],
      ...['solid', 'svelte', 'vue', 'vue-router'],
    ],
    dependencies: {
      // older versions of React Router show the first page while its middleware still runs, or do not run it
      ...{ react: '18.0.0', 'react-dom': '18.0.0', 'react-router': '7.13.1' },
      // Vue Router 4.0.10 and older throw when an app is unmounted
      ...{ vue: '3.4.0', 'vue-router': '4.0.11', svelte: '5.7.0', 'solid-js': '1.9.0' },
      ...{ ...angular('20.0.0'), rxjs: '7.4.0' },
    },
  },
  newest: {
    tests: ['angular', 'angular-router', 'react-router', 'react-router-loader', 'vue-router'],
    dependencies: {
      ...{ react: '19.3.1', 'react-dom': '19.3.1', 'react-router': '8.5.3' },
      ...{ vue: '3.5.45', 'vue-router': '5.5.1', ...angular('22.2.6'), rxjs: '7.8.2' },
    },
  },
  oldestLoaders: {
    tests: ['react-router-loader', 'tanstack-router'],
    dependencies: {
      // older versions of React Router take a redirect to an address with the page's origin for another site
      ...{ react: '18.0.0', 'react-dom': '18.0.0', 'react-router-dom': '6.8.0' },
      // in TanStack Router 1.170.10 and older, a page that preloads a guarded one hangs
      '@tanstack/react-router': '1.170.20',
    },
  },
} satisfies Record<string, { tests: string[]; dependencies: Record<string, string> }>
export type Versions = keyof typeof sets

/** The entries of React Router 6, by those of newer versions. */
const REACT_ROUTER_6 = { 'react-router': 'react-router-dom', 'react-router/dom': 'react-router-dom' }

/** Resolves `latchkey` to its source, and packages as if the tests were in `folder`. */
const installedIn = (folder: string, renamed: Readonly<Record<string, string>>): Plugin => ({
  name: 'installed in',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^latchkey(\/|$)/ }, ({ path }) => ({
      path: join(root, 'src', `${path.slice('latchkey/'.length) || 'index'}.ts`),
    }))
    onResolve({ filter: /^[@a-z]/ }, ({ path, kind, importer, pluginData }) =>
      pluginData === folder || importer.includes('node_modules')
        ? undefined
        : resolve(renamed[path] ?? path, { kind, importer, resolveDir: folder, pluginData: folder }),
    )
  },
})

/** Compiles components with the Svelte of `folder`. */
export const svelteOf = (folder: string): Plugin => ({
  name: 'svelte',
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const compiler = pathToFileURL(join(folder, 'node_modules/svelte/src/compiler/index.js')).href
      const { compile } = (await import(compiler)) as typeof import('svelte/compiler')
      return { contents: compile(readFileSync(path, 'utf8'), { filename: path }).js.code }
    })
  },
})

/** @throws Error if a package of `names` is bundled in more than one version. */
function checkVersions({ inputs }: Metafile, names: string[], folder: string): void {
  const foreign = Object.keys(inputs).filter(
    file =>
      !join(root, file).startsWith(folder) && names.some(name => file.includes(`node_modules/${name}/`)),
  )
  if (foreign.length > 0) throw new Error(`Bundled with another version: ${foreign.join(', ')}`)
}

/**
 * Bundles the tests of the bindings with other versions of the frameworks. The first call installs these.
 * @returns the tests, with their URLs in the project's root.
 */
export async function bundleBindings(versions: Versions): Promise<{ name: string; file: string }[]> {
  const folder = join(root, 'build/frameworks', versions)
  const { tests, dependencies } = sets[versions]
  await installOnce(folder, { manifest: JSON.stringify({ private: true, dependencies }) })
  const { metafile } = await build({
    entryPoints: tests.map(name => join(root, `test/browser/bindings/${name}.test.ts`)),
    outdir: join(folder, 'tests'),
    ...{ bundle: true, splitting: true, format: 'esm', target: 'es2022', metafile: true, logLevel: 'error' },
    ...{ external: ['vitest'], conditions: ['browser', 'development'] },
    define: { 'process.env.NODE_ENV': '"development"' },
    plugins: [
      installedIn(folder, 'react-router-dom' in dependencies ? REACT_ROUTER_6 : {}),
      svelteOf(folder),
    ],
  })
  checkVersions(metafile, Object.keys(dependencies), folder)
  return tests.map(name => ({ name, file: `/build/frameworks/${versions}/tests/${name}.test.js` }))
}
