import { SourceMap, type SourceMapPayload } from 'node:module'
import { relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { minify } from 'rolldown/utils'
import { rollup } from 'rollup'
import esbuild from 'rollup-plugin-esbuild'
import { MINIFY } from './bundle.ts'

/** The part of a chunk that comes from one module. */
export interface ModuleSize {
  /** Its path in the repository. */
  readonly name: string
  readonly min: number
  /** How much smaller the chunk would be without it. */
  readonly gzip: number
}

/** One file that a browser loads. */
export interface ChunkSize {
  readonly name: string
  readonly min: number
  readonly gzip: number
  /** Sorted by size, the largest first. */
  readonly modules: readonly ModuleSize[]
}

const gzip = (code: string) => gzipSync(code, { level: 9 }).length

/** The minified code in pieces, each with its source file. */
function piecesOf(code: string, payload: SourceMapPayload): { source: string; text: string }[] {
  const map = new SourceMap(payload)
  const pieces: { source: string; text: string }[] = []
  for (const [line, text] of code.split('\n').entries()) {
    for (const [column, character] of [...text].entries()) {
      const entry = map.findEntry(line, column)
      // the first characters of a chunk may come from no file
      const source = ('originalSource' in entry && entry.originalSource) || ''
      const last = pieces.at(-1)
      if (last?.source === source) last.text += character
      else pieces.push({ source, text: character })
    }
  }
  return pieces
}

/**
 * The modules in each chunk that `createClient` of an entry loads.
 * @param folder the repository. Its source is measured, not its build.
 * @param entry a file at the root of `src`, without `.ts`.
 */
export async function measureModules(folder: string, entry: string): Promise<ChunkSize[]> {
  const build = await rollup({
    input: 'app',
    treeshake: { moduleSideEffects: false },
    plugins: [
      {
        name: 'app',
        resolveId: id => (id === 'app' ? id : null),
        load: id => (id === 'app' ? `export { createClient } from '${folder}/src/${entry}.ts'` : null),
      },
      esbuild({ target: 'es2022' }),
      nodeResolve({ browser: true }),
    ],
  })
  const { output } = await build.generate({ format: 'es', sourcemap: true, dir: folder })
  await build.close()
  const chunks = output.filter(part => part.type === 'chunk')
  return Promise.all(
    chunks.map(async ({ code, map, fileName }) => {
      const { code: whole, map: minified } = await minify(fileName, code, {
        ...MINIFY,
        sourcemap: true,
        inputMap: map as never,
      })
      const pieces = piecesOf(whole, minified as unknown as SourceMapPayload)
      const join = (isPart: (source: string) => boolean) =>
        pieces.map(({ source, text }) => (isPart(source) ? text : '')).join('')
      const modules = [...new Set(pieces.map(({ source }) => source))].map(module => ({
        name: module && relative(folder, module),
        min: join(source => source === module).length,
        gzip: gzip(whole) - gzip(join(source => source !== module)),
      }))
      modules.sort((a, b) => b.gzip - a.gzip)
      return { name: fileName, min: whole.length, gzip: gzip(whole), modules }
    }),
  )
}

/** The sizes in bytes, as a readable table. */
export const formatModules = (entry: string, chunks: readonly ChunkSize[]): string =>
  chunks
    .flatMap(chunk => [
      { ...chunk, name: `\ncreateClient of src/${entry}.ts, ${chunk.name}: bytes min, gzip` },
      ...chunk.modules,
    ])
    .map(({ name, min, gzip }) => `${name.padEnd(75)} ${String(min).padStart(7)} ${String(gzip).padStart(6)}`)
    .join('\n')
