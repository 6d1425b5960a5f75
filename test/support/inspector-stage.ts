import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright'
import { listen } from '../../examples/demo/servers/listen.ts'
import { chromiumArgs, findChromium } from './chromium.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>an app</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body { margin: 0; min-height: 100vh; font-family: sans-serif } h1 { position: absolute; clip-path: inset(50%) } main { height: 100vh; padding: 12px; box-sizing: border-box }</style>
</head><body><main><h1>an app</h1></main><script type="module" src="/page.js"></script></body></html>`

/** Starts a page with a client, a server of the test kit, and the inspector, in Chromium. */
export async function startInspectorStage() {
  const { outputFiles } = await build({
    entryPoints: [fromRoot('test/support/inspector-page.ts')],
    alias: {
      latchkey: fromRoot('src/index.ts'),
      'latchkey/inspector': fromRoot('src/inspector.ts'),
      'latchkey/testing': fromRoot('src/testing.ts'),
    },
    bundle: true,
    write: false,
    format: 'esm',
  })
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js'
    response.writeHead(200, {
      'content-type': isScript ? 'text/javascript; charset=utf-8' : 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'self'; style-src 'unsafe-inline'",
    })
    response.end(isScript ? outputFiles[0]?.text : html)
  })
  const app = await listen(server, { name: 'page of the inspector' })
  const browser: Browser = await chromium.launch({ executablePath: findChromium(), args: chromiumArgs })
  return {
    async open(options: BrowserContextOptions = {}): Promise<Page> {
      const page = await browser.newPage(options)
      await page.goto(app.origin)
      await page.waitForFunction(() => window.stage !== undefined)
      return page
    },
    async close() {
      await browser.close()
      await app.close()
    },
  }
}
