import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { findSamples } from '../../support/docs-samples.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** The store of docs/extending.md as it is printed, without the client after it. */
export function hostStoreSample(): string {
  const file = 'docs/extending.md'
  const sample = findSamples(file, readFileSync(`${root}${file}`, 'utf8')).find(({ code }) =>
    code.includes('hostStore'),
  )
  const code = sample?.code ?? ''
  return code.slice(0, code.indexOf('declare const host'))
}

/** Resolves latchkey to its source, vitest to its stand-in, and the place of the tests' stores to a Durable Object. */
const onWorkerd: Plugin = {
  name: 'on workerd',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^latchkey(\/|$)/ }, ({ path }) => ({
      path: `${root}src/${path.split('/')[1] ?? 'index'}.ts`,
    }))
    onResolve({ filter: /^vitest$/ }, () => ({ path: here('vitest.ts') }))
    onResolve({ filter: /\/key-value\.ts$/ }, ({ importer }) =>
      importer.endsWith('/test/support/tabs.ts') ? { path: here('key-value.mjs') } : undefined,
    )
    // it prepares programs for child processes, which workerd does not have
    onResolve({ filter: /\/runnable\.ts$/ }, ({ path }) => ({ path, namespace: 'left out' }))
    onLoad({ filter: /./, namespace: 'left out' }, () => ({ contents: 'export const runnable = undefined' }))
    onResolve({ filter: /\/host-store\.ts$/ }, () => ({ path: 'host-store', namespace: 'docs' }))
    onLoad({ filter: /./, namespace: 'docs' }, () => ({
      contents: hostStoreSample(),
      loader: 'ts',
      resolveDir: root,
    }))
  },
}

/**
 * Bundles scenario files into one module. It exports `open(require)`, which makes a new instance of every module: on
 * workerd, no request may use a promise or timer of another request, and modules have both.
 * @param files paths in test/scenarios.
 */
export async function bundleScenarios(files: readonly string[]): Promise<string> {
  const imports = files.map(file => `${JSON.stringify(file)}: () => import('./${file}'),`)
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: `import { createRunner } from '../runtimes/on-workerd/run-file.ts'
        export const runFile = createRunner({ ${imports.join('\n')} })`,
      resolveDir: `${root}test/scenarios`,
    },
    ...{ bundle: true, write: false, metafile: true, format: 'cjs', target: 'es2022' },
    // as for a browser, except that workerd has the modules of Node
    ...{ platform: 'neutral', mainFields: ['module', 'main'], conditions: ['browser', 'import', 'default'] },
    ...{ external: ['node:*', 'cloudflare:workers'], inject: [here('turns.mjs')] },
    ...{ logLevel: 'error', plugins: [onWorkerd] },
  })
  if (!metafile.inputs['docs:host-store'])
    throw new Error('The stores of the scenarios are not those of the docs.')
  return `export const open = require => {
    const module = { exports: {} }
    ${outputFiles[0]?.text}
    return module.exports
  }`
}
