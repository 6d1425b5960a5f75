import { builtinModules } from 'node:module'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'
import { minify } from 'terser'

export interface Bundle {
  /** Minified. */
  readonly code: string
  /** Every module that left something in it: absolute path -> the exports that are in it. */
  readonly modules: ReadonlyMap<string, readonly string[]>
  /** Modules that stay imports: `node:` ones. */
  readonly external: readonly string[]
  readonly size: { readonly min: number; readonly gzip: number; readonly brotli: number }
}

const isBuiltin = (id: string) => id.startsWith('node:') || builtinModules.includes(id)

/** Frameworks: an app has its own. */
const isFramework = (id: string) => /^(react|vue|svelte|solid-js|rxjs|@angular)(\/|$)/.test(id)

/**
 * What an app's bundler makes of `source`.
 * @param importer a file in the folder whose node_modules are used.
 * @throws Error for anything the bundler warns of.
 */
export async function bundle(source: string, importer: string): Promise<Bundle> {
  const build = await rollup({
    input: 'app',
    external: id => isBuiltin(id) || isFramework(id),
    onwarn: warning => {
      if (warning.code === 'EMPTY_BUNDLE') return // what a test may want
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
  // One size to judge by: everything that one import loads.
  const chunks = output.filter(part => part.type === 'chunk')
  // What apps that care about size use; esbuild's result is about 3 % larger.
  const codes = await Promise.all(
    chunks.map(async chunk => {
      const minified = await minify(chunk.code, {
        module: true,
        ecma: 2020,
        compress: { passes: 3 },
        format: { comments: false },
      })
      return minified.code ?? ''
    }),
  )
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
      brotli: brotliCompressSync(code).length,
    },
  }
}
