import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { findSamples } from '../support/docs-samples.ts'
import { CLIENT_ID } from './scripted-server.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** An app that signs in by itself whenever nobody is signed in, as a guard of a router does. It shows no error of start(). */
export const GUARDED = `
try {
  await client.start()
} catch {}
if (client.session.status !== 'signed-in') await client.signIn({ returnTo: '/' })
document.body.textContent = await (await client.fetch('https://api.example.com/me')).text()
`

/**
 * README's browser app as printed, except for this machine's addresses. `window.more` changes its options.
 * @param after replaces what the app does after `createClient()`.
 */
async function readmeApp(issuer: string, after?: string): Promise<string> {
  const readme = findSamples('README.md', readFileSync(fromRoot('README.md'), 'utf8'))
  const sample = readme.find(({ code }) => code.includes("createElement('button')"))?.code ?? ''
  const [create = ''] = sample.split('const text =')
  const contents = (after ? create + after : sample)
    .replaceAll('https://id.example.com', issuer)
    .replaceAll('https://api.example.com', issuer)
    .replace("'my-spa'", `'${CLIENT_ID}'`)
    .replace(/(allowedOrigins: .*),( \/\/.*)\n/, '$1, ...window.more,$2\n')
    .concat(
      // what an app does that wants to know the user
      "\nif (window.wantsUser && client.session.status === 'signed-in') (await import('latchkey/userinfo')).userInfo(client)",
    )
  const { outputFiles } = await build({
    stdin: { contents, loader: 'ts', resolveDir: fromRoot('.') },
    alias: {
      'latchkey/client-authentication': fromRoot('src/client-authentication.ts'),
      'latchkey/userinfo': fromRoot('src/userinfo.ts'),
      latchkey: fromRoot('src/index.ts'),
    },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

/** The host of README's browser app. @param after as for `readmeApp`. */
export async function startBrowserApp(issuer: string, after?: string) {
  const script = await readmeApp(issuer, after)
  let move: (path: string) => string | undefined = () => undefined
  let more = '{}'
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url as string, 'http://app.invalid')
    const to = move(pathname)
    if (to !== undefined)
      return response
        .writeHead(301, { location: to.includes('?') ? to : to + search, 'cache-control': 'no-store' })
        .end()
    if (pathname === '/app.js')
      return response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    response.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' })
    response.end(
      `<!doctype html><link rel="icon" href="data:,"><body><script>window.more = ${more}</script><script type="module" src="/app.js"></script>`,
    )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    /**
     * @param moving returns the address that the host redirects a path to, with the query of the request unless it has its own.
     * @param options JavaScript of an object.
     */
    play(moving: typeof move = () => undefined, options = '{}') {
      move = moving
      more = options
    },
    close: () =>
      new Promise(resolve => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  }
}
