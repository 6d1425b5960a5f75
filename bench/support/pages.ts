import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/**
 * What a browser runs of `bench/pages/<name>.ts`, minified; `latchkey` in it is src.
 * @param firstLine runs before everything else in the bundle.
 */
export async function bundlePage(name: string, firstLine = ''): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fromRoot(`bench/pages/${name}.ts`)],
    alias: { latchkey: fromRoot('src/index.ts') },
    banner: { js: firstLine },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

const html = (script: string, config: object) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="config" content="${JSON.stringify(config).replaceAll('"', '&quot;')}">
<title>benchmark</title>
<link rel="icon" href="data:,">
<script type="module" src="/${script}.js"></script>
</head>
<body></body>
</html>
`

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
    const isolated = {
      'cross-origin-opener-policy': 'same-origin', // finer clocks
      'cross-origin-embedder-policy': 'require-corp',
    }
    if (isScript && script !== undefined) {
      const headers = { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'max-age=3600' }
      return response.writeHead(200, { ...headers, ...isolated }).end(script)
    }
    const headers = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }
    return response
      .writeHead(200, { ...headers, ...isolated })
      .end(html(script === undefined ? first : name, config()))
  })
  return listen(server, { name: 'benchmark pages' })
}
