import { createServer, type ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type Plugin } from 'esbuild'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

const forBrowsers = {
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  platform: 'browser',
  logLevel: 'error',
} as const

/**
 * What a browser runs of `bench/pages/<name>.ts`, minified; `latchkey` in it is src.
 * @param firstLine runs before everything else in the bundle.
 */
export async function bundlePage(name: string, firstLine = ''): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fromRoot(`bench/pages/${name}.ts`)],
    alias: { 'latchkey/worker': fromRoot('src/worker.ts'), latchkey: fromRoot('src/index.ts') },
    banner: { js: firstLine },
    ...forBrowsers,
  })
  return outputFiles[0]?.text ?? ''
}

/** The file that an app serves as the worker of `latchkey/worker`, made from src. */
export async function bundleWorker(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fromRoot('src/latchkey-worker.ts')],
    ...forBrowsers,
    format: 'iife',
  })
  return outputFiles[0]?.text ?? ''
}

/** An app in files as a bundler leaves them. */
export interface App {
  /** By file name, with gzip. */
  readonly files: ReadonlyMap<string, Buffer>
  readonly entry: string
  /** What the entry imports by statements: bundlers write a `modulepreload` for each. */
  readonly imported: readonly string[]
  /** What it loads by `import()`, which no bundler preloads by itself. */
  readonly loaded: readonly string[]
}

/**
 * What an app's bundler makes of `bench/pages/start/<name>.ts`, split where it calls `import()`. Each file marks its first
 * line.
 * @param latchkey the file that is `latchkey` in it, from the root of the repository.
 * @param plugins of esbuild. Default: none.
 */
export async function bundleApp(name: string, latchkey: string, plugins: Plugin[] = []): Promise<App> {
  const { outputFiles, metafile } = await build({
    ...forBrowsers,
    entryPoints: { [name]: fromRoot(`bench/pages/start/${name}.ts`) },
    alias: { 'latchkey/worker': fromRoot('src/worker.ts'), latchkey: fromRoot(latchkey) },
    plugins,
    banner: { js: "performance.mark('first line');" },
    splitting: true,
    metafile: true,
    absWorkingDir: fromRoot('.'),
    outdir: fromRoot('out'),
    chunkNames: '[name]-[hash]',
  })
  const fileName = (path: string) => path.split('/').at(-1) ?? ''
  const importsOf = (file: string) =>
    Object.entries(metafile.outputs).find(([path]) => fileName(path) === file)?.[1].imports ?? []
  const entry = `${name}.js`
  const imported = new Set<string>()
  const add = (file: string) => {
    for (const { path, kind } of importsOf(file)) {
      if (kind !== 'import-statement' || imported.has(fileName(path))) continue
      imported.add(fileName(path))
      add(fileName(path))
    }
  }
  add(entry)
  const files = new Map(
    outputFiles.map(({ path, contents }) => [fileName(path), gzipSync(contents, { level: 9 })]),
  )
  const loaded = [...files.keys()].filter(file => file !== entry && !imported.has(file))
  return { files, entry, imported: [...imported], loaded }
}

const html = (script: string, config: object, preloads: readonly string[] = []) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="config" content="${JSON.stringify(config).replaceAll('"', '&quot;')}">
<title>benchmark</title>
<link rel="icon" href="data:,">
${preloads.map(file => `<link rel="modulepreload" href="/${file}">\n`).join('')}<script type="module" src="/${script}.js"></script>
</head>
<body></body>
</html>
`

const isolated = {
  'cross-origin-opener-policy': 'same-origin', // finer clocks
  'cross-origin-embedder-policy': 'require-corp',
}

const sendPage = (response: ServerResponse, page: string) =>
  response
    .writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', ...isolated })
    .end(page)

const sendScript = (response: ServerResponse, script: string | Buffer, headers: Record<string, string>) =>
  response
    .writeHead(200, { 'content-type': 'text/javascript; charset=utf-8', ...headers, ...isolated })
    .end(script)

/**
 * Serves the bundles on one origin: `/<name>` is the page of that bundle, any other path that of the first one.
 * @param config what pages find in their `<meta name=config>`, asked for at every page.
 */
export function startPages(
  bundles: Readonly<Record<string, string>>,
  config: () => object,
): Promise<Listening> {
  const [first = ''] = Object.keys(bundles)
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const [, name = '', isScript] = /^\/([\w-]+)(\.js)?$/.exec(pathname) ?? []
    const script = bundles[name]
    if (isScript && script !== undefined) sendScript(response, script, { 'cache-control': 'max-age=3600' })
    else sendPage(response, html(script === undefined ? first : name, config()))
  })
  return listen(server, { name: 'benchmark pages' })
}

/**
 * Serves an app on an origin of its own, with gzip.
 * @param preloads files for which the page has a `modulepreload`.
 * @param isCached whether scripts are: if not, every load is the first one after a release.
 */
export function startApp(
  app: App,
  config: object,
  preloads: readonly string[],
  isCached: boolean,
): Promise<Listening> {
  const caching = isCached ? 'max-age=3600' : 'no-store'
  const page = html(app.entry.replace(/\.js$/, ''), config, preloads)
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const file = app.files.get(pathname.slice(1))
    if (file) sendScript(response, file, { 'cache-control': caching, 'content-encoding': 'gzip' })
    else if (pathname.endsWith('.js')) response.writeHead(404).end()
    else sendPage(response, page)
  })
  server.keepAliveTimeout = 60_000
  return listen(server, { name: 'benchmark app' })
}
