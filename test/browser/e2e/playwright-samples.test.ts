import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { runCommand } from '../../support/command.ts'
import { serveApp } from '../../support/served-app.ts'
import { tempFolders } from '../../support/temp-folder.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const tempFolder = tempFolders()

async function startApp() {
  const { outputFiles } = await build({
    entryPoints: [fromRoot('examples/testing/playwright/app.ts')],
    alias: { latchkey: fromRoot('src/index.ts') },
    bundle: true,
    write: false,
    format: 'esm',
  })
  return serveApp(outputFiles[0]?.text ?? '')
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
