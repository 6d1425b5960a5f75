import { builtinModules } from 'node:module'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { type MinifyOptions, minify } from 'rolldown/utils'
import { rollup } from 'rollup'
import { once } from '../support/once.ts'

export interface Bundle {
  /** Minified. */
  readonly code: string
  /** Every module with code in the bundle: absolute path -> its exports in the bundle. */
  readonly modules: ReadonlyMap<string, readonly string[]>
  /** Modules that stay imports, because their names begin with `node:`. */
  readonly external: readonly string[]
  readonly size: { readonly min: number; readonly gzip: number; readonly brotli: number }
}

export const MINIFY = {
  module: true,
  compress: { target: 'es2022' },
  mangle: { toplevel: true },
  codegen: { removeWhitespace: true, legalComments: 'none' },
} as const satisfies MinifyOptions

const isBuiltin = (id: string) => id.startsWith('node:') || builtinModules.includes(id)

/** Frameworks, which an app already has. */
const isFramework = (id: string) => /^(react|vue|svelte|solid-js|rxjs|@angular)(\/|$)/.test(id)

/** Minifies as Vite does: esbuild's result is about 3 % larger. The same code costs once. */
export const minifyOnce = once(async (code: string): Promise<string> => {
  const { code: minified, errors } = await minify('app.js', code, MINIFY)
  if (errors[0]) throw errors[0]
  return minified
})

/**
 * The bundle that an app's bundler makes from `source`. It is made once.
 * @param importer a file in the folder whose node_modules are used.
 * @throws Error for any warning of the bundler.
 */
export const bundle = once(async (source: string, importer: string): Promise<Bundle> => {
  const build = await rollup({
    input: 'app',
    external: id => isBuiltin(id) || isFramework(id),
    onwarn: warning => {
      if (warning.code === 'EMPTY_BUNDLE') return // exports that a test may use
      throw new Error(`The bundler warned: ${warning.message}`)
    },
    plugins: [
      {
        name: 'app',
        resolveId(id, from) {
          if (id === 'app') return '\0app'
          return from === '\0app' ? this.resolve(id, importer, { skipSelf: true }) : null
        },
        load: id => (id === '\0app' ? source : null),
      },
      nodeResolve({ browser: true }),
    ],
  })
  const { output } = await build.generate({ format: 'es' })
  await build.close()
  // One size to compare: everything that one import loads.
  const chunks = output.filter(part => part.type === 'chunk')
  const codes = await Promise.all(chunks.map(chunk => minifyOnce(chunk.code)))
  const code = codes.join('\n')
  const modules = chunks
    .flatMap(chunk => Object.entries(chunk.modules))
    .filter(([id, module]) => id !== '\0app' && module.renderedLength > 0)
  return {
    code,
    modules: new Map(modules.map(([id, module]) => [id, module.renderedExports])),
    external: [...new Set(chunks.flatMap(chunk => [...chunk.imports, ...chunk.dynamicImports]))].filter(
      isBuiltin,
    ),
    size: {
      min: Buffer.byteLength(code),
      gzip: gzipSync(code, { level: 9 }).length,
      // it takes longer than all the rest, and only the tables show it
      get brotli() {
        return brotliCompressSync(code).length
      },
    },
  }
})
