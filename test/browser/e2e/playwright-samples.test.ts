import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { listen } from '../../../examples/demo/servers/listen.ts'
import { runCommand } from '../../support/command.ts'
import { tempFolders } from '../../support/temp-folder.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const tempFolder = tempFolders()

/** Serves the app of the samples: the same page at every address. */
async function startApp() {
  const { outputFiles } = await build({
    entryPoints: [fromRoot('examples/testing/playwright/app.ts')],
    alias: { latchkey: fromRoot('src/index.ts') },
    bundle: true,
    write: false,
    format: 'esm',
  })
  const script = outputFiles[0]?.text ?? ''
  const server = createServer((request, response) => {
    const isScript = request.url === '/app.js'
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' })
    response.end(isScript ? script : '<!doctype html><script type="module" src="/app.js"></script>')
  })
  return listen(server, { name: 'app of the samples' })
}

test('the Playwright samples in the docs pass: saved sign-in, refresh, and a sign-in by redirect', {
  timeout: 270_000,
}, async () => {
  const app = await startApp()
  try {
    const cli = fromRoot('node_modules/@playwright/test/cli.js')
    const config = fromRoot('test/support/playwright-samples.config.ts')
    const { code, output } = await runCommand(process.execPath, [cli, 'test', '--config', config], {
      cwd: fromRoot('.'),
      env: { ...process.env, APP_URL: app.origin, OUTPUT_FOLDER: tempFolder() },
      timeoutMs: 240_000,
    })
    expect(output).toContain('3 passed')
    expect(code).toBe(0)
  } finally {
    await app.close()
  }
})
