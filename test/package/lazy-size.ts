import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { build as esbuild } from 'esbuild'
import { rollup } from 'rollup'
import { minifyOnce } from './bundle.ts'

/** The size of what an app loads of `latchkey/lazy`, minified and with gzip, file by file as a browser does. */
export interface LazySize {
  readonly bundler: string
  /** Loaded before the app's first line. */
  readonly first: number
  /** Loaded by `import()`. */
  readonly second: number
  /** The same app over `latchkey`, built with the same bundler. */
  readonly onePiece: number
}

/** The files of a build: whether each is needed before the app's first line. */
type Files = readonly { readonly code: string | Uint8Array; readonly isFirst: boolean }[]

const gzip = (code: string | Uint8Array) => gzipSync(code, { level: 9 }).length
const weigh = (files: Files, isFirst: boolean) =>
  files.filter(file => file.isFirst === isFirst).reduce((sum, { code }) => sum + gzip(code), 0)

const appOf = (entry: string) => `export { createClient } from '${entry}'\n`

async function byRollup(folder: string, entry: string): Promise<Files> {
  const importer = join(folder, 'app.js')
  const build = await rollup({
    input: 'app',
    plugins: [
      {
        name: 'app',
        resolveId(id, from) {
          if (id === 'app') return '\0app'
          return from === '\0app' ? this.resolve(id, importer, { skipSelf: true }) : null
        },
        load: id => (id === '\0app' ? appOf(entry) : null),
      },
      nodeResolve({ browser: true }),
    ],
  })
  const { output } = await build.generate({ format: 'es' })
  await build.close()
  const chunks = output.filter(part => part.type === 'chunk')
  const first = new Set<string>()
  const add = (name: string) => {
    if (first.has(name)) return
    first.add(name)
    for (const imported of chunks.find(({ fileName }) => fileName === name)?.imports ?? []) add(imported)
  }
  for (const { isEntry, fileName } of chunks) if (isEntry) add(fileName)
  return Promise.all(
    chunks.map(async ({ code, fileName }) => ({
      code: await minifyOnce(code),
      isFirst: first.has(fileName),
    })),
  )
}

async function byEsbuild(folder: string, entry: string): Promise<Files> {
  const { outputFiles, metafile } = await esbuild({
    stdin: { contents: appOf(entry), resolveDir: folder },
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outdir: join(folder, 'out'),
    absWorkingDir: folder,
    metafile: true,
    logLevel: 'error',
    write: false,
  })
  const first = new Set<string>()
  const add = (path: string) => {
    if (first.has(path)) return
    first.add(path)
    for (const { path: to, kind } of metafile.outputs[path]?.imports ?? []) {
      if (kind === 'import-statement') add(to)
    }
  }
  for (const [path, { entryPoint }] of Object.entries(metafile.outputs))
    if (entryPoint === '<stdin>') add(path)
  return outputFiles.map(({ path, contents }) => ({
    code: contents,
    isFirst: [...first].some(name => path.endsWith(name)),
  }))
}

/** Reads a bundler's output. Files that the first file imports statically also count as first. */
async function written(folder: string, entry: string): Promise<Files> {
  const names = (await readdir(folder, { recursive: true })).filter(name => /\.m?js$/.test(name))
  const files = await Promise.all(
    names.map(async name => ({ name, code: await readFile(join(folder, name), 'utf8') })),
  )
  const isStatic = (code: string, name: string) =>
    [...code.matchAll(/(?:from|import)\s*["']([^"']+)["']/g)].some(([, to]) =>
      to?.endsWith(`/${name.split('/').at(-1)}`),
    )
  const first = new Set([entry])
  for (const name of first) {
    const { code = '' } = files.find(file => file.name === name) ?? {}
    for (const file of files) if (isStatic(code, file.name)) first.add(file.name)
  }
  return files.map(({ name, code }) => ({ code, isFirst: first.has(name) }))
}

/** Runs a bundler on a file of the app in a temporary folder. */
async function inFolder(
  folder: string,
  entry: string,
  build: (source: string, out: string) => Promise<string>,
): Promise<Files> {
  const own = await mkdtemp(join(folder, 'size-'))
  try {
    const source = join(own, 'main.js')
    await writeFile(
      source,
      `import { createClient } from '${entry}'\nglobalThis.client = createClient(globalThis.options)\n`,
    )
    const out = join(own, 'out')
    return await written(out, await build(source, out))
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}

const byVite = (folder: string, entry: string): Promise<Files> =>
  inFolder(folder, entry, async (source, outDir) => {
    const { build } = await import('vite')
    await build({
      root: dirname(source),
      configFile: false,
      logLevel: 'error',
      build: {
        outDir,
        rolldownOptions: {
          input: source,
          output: { entryFileNames: 'main.js', chunkFileNames: '[name]-[hash].js' },
        },
      },
    })
    return 'main.js'
  })

const byWebpack = (folder: string, entry: string): Promise<Files> =>
  inFolder(folder, entry, async (source, path) => {
    const { default: webpack } = await import('webpack')
    await new Promise<void>((resolve, reject) => {
      const compiler = webpack({
        mode: 'production',
        context: dirname(source),
        entry: source,
        target: ['web', 'es2022'],
        output: { path, filename: 'main.js', chunkFilename: '[id].js' },
      })
      compiler.run((error, stats) => {
        const failure = error ?? (stats?.hasErrors() ? new Error(stats.toString()) : undefined)
        compiler.close(() => (failure ? reject(failure) : resolve()))
      })
    })
    return 'main.js'
  })

const bundlers = { rollup: byRollup, esbuild: byEsbuild, Vite: byVite, webpack: byWebpack }

/** @param folder a folder in which `latchkey` can be imported. */
export async function measureLazy(folder: string): Promise<LazySize[]> {
  const sizes: LazySize[] = []
  for (const [bundler, build] of Object.entries(bundlers)) {
    const lazy = await build(folder, 'latchkey/lazy')
    const whole = await build(folder, 'latchkey')
    const [first, second, onePiece] = [weigh(lazy, true), weigh(lazy, false), weigh(whole, true)]
    sizes.push({ bundler, first, second, onePiece })
  }
  return sizes
}

/** The sizes in KB of 1,024 bytes, as a readable table. */
export const formatLazySizes = (sizes: readonly LazySize[]): string =>
  [
    'latchkey/lazy, createClient alone, gzip KB: first load + second half = sum (one piece by the same bundler)',
    ...sizes.map(({ bundler, first, second, onePiece }) => {
      const [a, b, sum, whole] = [first, second, first + second, onePiece].map(bytes =>
        (bytes / 1024).toFixed(2),
      )
      return `  ${bundler.padEnd(8)} ${a} + ${b} = ${sum} (${whole})`
    }),
  ].join('\n')
