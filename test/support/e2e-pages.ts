import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type Listening, listen } from '../../examples/demo/servers/listen.ts'
import { startPageServer } from '../../examples/demo/servers/page-server.ts'
import { once } from './once.ts'
import { startTestServers, type TestServers } from './server.ts'

/** How the test app creates its client, and what the page does when it loads; see e2e-app-page.ts. */
export type AppMode =
  | 'start'
  | 'start-twice'
  | 'two-clients'
  /** Like `start`, but a prerendered page also makes a call immediately. `no-locks` does that too. */
  | 'start-and-call'
  | 'wait'
  /** Like `start`, in a browser without Web Locks. */
  | 'no-locks'
  /** Like `start`, with tokens in sessionStorage. */
  | 'session-storage'
  /** Like `start`, with the worker of `latchkey/worker`; in the second, the page has no service workers. */
  | 'host'
  | 'host-in-shared-worker'
  /** Like `host`, with `dpop()` in the page. The worker has it if `serveHost('with dpop')` was called. */
  | 'host-with-dpop'
  /** Like `start`, with broken storage: see `faults`. */
  | 'indexeddb-hangs'
  | 'indexeddb-throws'
  | 'indexeddb-lacks-its-store'
  | 'indexeddb-is-full'
  | 'indexeddb-is-missing'
  | 'storage-blocked'
  /** The client's user agent is `popup()`. */
  | 'popup'
  | 'popup-and-memory'
  /** Opens a window without a click. */
  | 'popup-at-once'

/**
 * `silence`: a worker that never answers. `failure`: one whose script throws. `newer`: the same worker in a file with other
 * bytes. `other protocol`: a worker of a version that speaks another protocol.
 */
export type HostFile = 'host' | 'nothing' | 'silence' | 'failure' | 'newer' | 'other protocol' | 'with dpop'

export interface E2ePages {
  readonly servers: TestServers
  readonly demoUrl: string
  readonly appUrl: string
  /** Sets the mode of pages that load from now on. */
  setMode(mode: AppMode): void
  /** Sets which pages may show the app in a frame, as a source of `frame-ancestors`. */
  allowFraming(by: string): void
  /** Sets a script that runs before the app and the import of latchkey, in pages and workers that load from now on. */
  setPrelude(script: string): void
  /** Sets whether the app uses `latchkey/lazy`, in pages that load from now on. */
  setLazy(isLazy: boolean): void
  /** Sets whether loading the second half of `latchkey/lazy` fails. */
  failSecondHalf(isFailing: boolean): void
  /** How often a page has requested the second half. */
  readonly secondHalfRequests: number
  /** Sets the file at `/latchkey-worker.js`. */
  serveHost(what: HostFile): void
  /** Sets which workers the page's Content Security Policy allows. */
  allowWorkers(from: string): void
  close(): Promise<void>
}

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Entries other than `latchkey`. */
const others = {
  'latchkey/dpop': fromRoot('src/dpop.ts'),
  'latchkey/front-channel-logout': fromRoot('src/front-channel-logout.ts'),
  'latchkey/session-limits': fromRoot('src/session-limits.ts'),
  'latchkey/inspector': fromRoot('src/inspector.ts'),
  'latchkey/ky': fromRoot('src/ky.ts'),
  'latchkey/worker': fromRoot('src/worker.ts'),
  'latchkey/worker-host': fromRoot('src/worker-host.ts'),
}

/** Bundles an entry for the browser, with `latchkey` from src. */
export const bundle = once(async (entry: string, format: 'esm' | 'iife' = 'esm'): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [fromRoot(entry)],
    alias: { ...others, latchkey: fromRoot('src/index.ts') },
    bundle: true,
    write: false,
    format,
    target: 'es2022',
    platform: 'browser',
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
})

/** Bundles an entry with `latchkey/lazy` as `latchkey`. Returns the output files by name; the first is the entry. */
const bundleLazy = once(async (entry: string): Promise<ReadonlyMap<string, string>> => {
  const { outputFiles } = await build({
    entryPoints: { lazy: fromRoot(entry) },
    alias: { ...others, latchkey: fromRoot('src/lazy.ts') },
    bundle: true,
    splitting: true,
    write: false,
    outdir: fromRoot('build'),
    chunkNames: '[name]-[hash]',
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    logLevel: 'error',
  })
  return new Map(outputFiles.map(({ path, text }) => [`/${basename(path)}`, text]))
})

/** Whether a path is the file that latchkey loads with `import()`. */
const isSecondHalf = (path: string) => /^\/(authorization|second-half)-/.test(path)

/** A page that runs `/app.js`, which finds `config` in it. */
export const appPage = (config: object) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="config" content="${JSON.stringify(config).replaceAll('"', '&quot;')}">
<title>end-to-end tests</title>
<link rel="icon" href="data:,">
<script type="module" src="/app.js"></script>
</head>
<body>
<button id="sign-in">Sign in</button>
<button id="sign-in-popup">Sign in in a window</button>
<button id="open-copy">Open in a window</button>
</body>
</html>
`

/** A Content Security Policy for pages and workers, as strict as an app can have. */
export const policy = (...origins: string[]) =>
  `default-src 'none'; script-src 'self'; worker-src 'self'; img-src data:; connect-src ${origins.join(' ')}; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

const refusal = "() => { throw new DOMException('The operation is insecure.', 'SecurityError') }"
const blockSessionStorage = `Object.defineProperty(window, 'sessionStorage', { get: ${refusal} });`
const blockIndexedDb = `IDBFactory.prototype.open = ${refusal};`

/** A prelude: IndexedDB never opens, until the page calls `mend()`. */
export const indexedDbHangs = `{
  const { open } = IDBFactory.prototype
  IDBFactory.prototype.open = () => new EventTarget()
  globalThis.mend = () => Object.assign(IDBFactory.prototype, { open })
}`

/** Scripts that run before the app and before the import of latchkey. */
const faults: Partial<Record<AppMode, string>> = {
  'indexeddb-hangs': 'IDBFactory.prototype.open = () => new EventTarget();',
  'indexeddb-throws': blockIndexedDb,
  'indexeddb-is-full':
    "IDBObjectStore.prototype.put = () => { throw new DOMException('Full.', 'QuotaExceededError') };",
  'indexeddb-is-missing': "Object.defineProperty(window, 'indexedDB', { value: undefined });",
  'indexeddb-lacks-its-store': "indexedDB.open('latchkey').onsuccess = event => event.target.result.close();",
  'storage-blocked': blockIndexedDb + blockSessionStorage,
}

/** A page that makes Chromium prerender another page of its origin, with a link to it. */
const prerenderPage = (url: string) => `<!doctype html>
<title>prerenders</title>
<link rel="icon" href="data:,">
<script type="speculationrules">${JSON.stringify({ prerender: [{ urls: [url], eagerness: 'immediate' }] })}</script>
<a href="${url.replaceAll('&', '&amp;')}">go</a>`

/** The same worker of a version whose messages differ. */
function withOtherProtocol(script: string): string {
  const other = script.replace(/PROTOCOL = 1\b/, 'PROTOCOL = 2')
  if (other === script) throw new Error('The script has no PROTOCOL = 1.')
  return other
}

const sendScript = (response: ServerResponse, script: string, headers: Record<string, string> = {}) =>
  response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8', ...headers }).end(script)

/** Forwards a request to another of our servers. */
function forward(request: IncomingMessage, response: ServerResponse, origin: string) {
  const { method, headers, url } = request
  const onward = send(new URL(url ?? '/', origin), { method, headers }, answer => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.destroy())
  request.pipe(onward)
}

/** Starts the demo page and the test app, both built from src, and the servers for their sign-ins. */
export async function startE2ePages(): Promise<E2ePages> {
  const [demoScript, appScript, workerScript, serviceWorkerScript, hostScript, dpopHost, lazyFiles] =
    await Promise.all([
      bundle('examples/demo/page/main.ts'),
      bundle('test/support/e2e-app-page.ts'),
      bundle('test/support/e2e-app-worker.ts'),
      bundle('test/support/e2e-app-service-worker.ts'),
      bundle('src/latchkey-worker.ts', 'iife'),
      bundle('test/support/e2e-app-host.ts', 'iife'),
      bundleLazy('test/support/e2e-app-page.ts'),
    ])
  const hostFiles: Readonly<Record<Exclude<HostFile, 'nothing'>, string>> = {
    host: hostScript,
    silence: '',
    failure: "throw new Error('This worker is broken.')",
    newer: `${hostScript}\n// newer`,
    'other protocol': withOtherProtocol(hostScript),
    'with dpop': dpopHost,
  }
  let mode: AppMode = 'start'
  let prelude = ''
  let framedBy = "'none'"
  let isLazy = false
  let isFailing = false
  let secondHalfRequests = 0
  let host: HostFile = 'host'
  let workersFrom = "'self'"
  const ready: { servers?: TestServers; demoPage?: Listening } = {}

  const demo = await listen(
    createServer((request, response) => {
      if (request.url === '/main.js') sendScript(response, demoScript)
      else if (ready.demoPage) forward(request, response, ready.demoPage.origin)
    }),
    { name: 'demo page of the tests' },
  )
  const app = await listen(
    createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
      const { issuer = '', apiUrl = '' } = ready.servers ?? {}
      const csp = policy(issuer, new URL(apiUrl).origin).replace(
        "worker-src 'self'",
        `worker-src ${workersFrom}`,
      )
      if (pathname === '/app.js') {
        // a static import would run before the prelude
        const script = isLazy ? "await import('/lazy.js')" : appScript
        return sendScript(response, (faults[mode] ?? '') + prelude + script)
      }
      const file = lazyFiles.get(pathname)
      if (file !== undefined) {
        if (isSecondHalf(pathname)) secondHalfRequests++
        if (isSecondHalf(pathname) && isFailing) return response.writeHead(503).end()
        return sendScript(response, file)
      }
      if (pathname === '/worker.js')
        return sendScript(response, prelude + workerScript, { 'content-security-policy': csp })
      if (pathname === '/latchkey-worker.js') {
        if (host === 'nothing') return response.writeHead(404).end()
        // with this header, Chromium gives a service worker a process of its own
        const headers = { 'content-security-policy': csp, 'cross-origin-embedder-policy': 'require-corp' }
        return sendScript(response, hostFiles[host], headers)
      }
      if (pathname === '/service-worker.js')
        return sendScript(response, serviceWorkerScript, { 'content-security-policy': csp })
      if (pathname === '/prerenders')
        return response
          .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
          .end(prerenderPage(searchParams.get('url') ?? '/'))
      const framable = csp.replace("frame-ancestors 'none'", `frame-ancestors ${framedBy}`)
      const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': framable }
      return response.writeHead(200, headers).end(appPage({ issuer, apiUrl, mode }))
    }),
    { name: 'test app' },
  )
  const servers = await startTestServers(demo.origin, app.origin)
  ready.servers = servers
  ready.demoPage = await startPageServer({
    config: () => ({ issuer: servers.issuer, clientId: 'demo-spa', apiUrl: servers.apiUrl }),
    revokeAccessTokensOf: servers.revokeAccessTokensOf,
  })

  return {
    servers,
    demoUrl: `${demo.origin}/`,
    appUrl: `${app.origin}/`,
    setMode(next) {
      mode = next
    },
    allowFraming(by) {
      framedBy = by
    },
    setPrelude(script) {
      prelude = script
    },
    setLazy(next) {
      isLazy = next
    },
    failSecondHalf(next) {
      isFailing = next
    },
    serveHost(what) {
      host = what
    },
    allowWorkers(from) {
      workersFrom = from
    },
    get secondHalfRequests() {
      return secondHalfRequests
    },
    async close() {
      await Promise.all([servers.close(), ready.demoPage?.close(), demo.close(), app.close()])
    },
  }
}
