import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { transformAsync } from '@babel/core'
import { build, type Plugin, transform } from 'esbuild'
import { createTestServer, playwrightRoutes, signingKey } from 'latchkey/testing'
import type { Browser } from 'playwright'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { svelteOf } from '../../support/bindings/framework-versions.ts'
import { findHeadlessShell, launchChromium } from '../../support/chromium.ts'
import { serveApp } from '../../support/served-app.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const example = (name: string) => `import ${JSON.stringify(fromRoot(`examples/bindings/${name}`))}`

/** Solid's own compiler. */
const solid: Plugin = {
  name: 'solid',
  setup({ onLoad }) {
    onLoad({ filter: /solid\.tsx$/ }, async ({ path }) => {
      const typed = await readFile(path, 'utf8')
      const { code } = await transform(typed, { loader: 'tsx', jsx: 'preserve' })
      const compiled = await transformAsync(code, {
        presets: ['babel-preset-solid'],
        ...{ configFile: false, babelrc: false },
      })
      return { contents: compiled?.code ?? '', resolveDir: fromRoot('.') }
    })
  },
}

async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fromRoot('.'), loader: 'ts' },
    plugins: [solid, svelteOf(fromRoot('.'))],
    alias: {
      latchkey: fromRoot('src'),
      '$lib/client': fromRoot('examples/bindings/sveltekit.ts'),
    },
    inject: [fromRoot('test/support/bindings/sveltekit-globals.ts')],
    define: { 'process.env.NODE_ENV': '"development"' },
    ...{ bundle: true, write: false, format: 'esm', target: 'es2022', logLevel: 'error' },
    ...{ conditions: ['browser', 'development'], ignoreAnnotations: true }, // package.json says that no file has side effects
    tsconfig: fromRoot('tsconfig.json'),
  })
  return outputFiles[0]?.text ?? ''
}

const key = signingKey()
let browser: Browser
beforeAll(async () => {
  browser = await launchChromium({ executablePath: findHeadlessShell() })
})
afterAll(() => browser.close())

/** Each app, the text that it shows to the signed-in user, and whether it asks a new user first. */
const apps: { name: string; code: string; shows: string; asks?: true }[] = [
  { name: 'react.tsx', code: example('react.tsx'), shows: 'Hello ada' },
  { name: 'react-router.tsx', code: example('react-router.tsx'), shows: 'ada has 1 notes' },
  { name: 'tanstack-router.tsx', code: example('tanstack-router.tsx'), shows: '1 notes' },
  { name: 'vue-router.ts', code: example('vue-router.ts'), shows: 'Hello ada' },
  {
    name: 'angular.ts',
    // what Angular's own tool does
    code: `import 'zone.js'\nimport '@angular/compiler'\n${example('angular.ts')}`,
    shows: 'Hello ada',
  },
  { name: 'solid.tsx', code: example('solid.tsx'), shows: 'Sign out', asks: true },
  {
    name: 'sveltekit.ts with session.svelte',
    code: `import ${JSON.stringify(fromRoot('test/support/bindings/sveltekit-page.ts'))}`,
    shows: 'Hello ada',
  },
]

test.each(apps)(
  'the example $name signs a user in, shows it and signs it out',
  async ({ code, shows, asks }) => {
    const app = await serveApp(await bundle(code))
    const redirectUri = `${app.origin}/callback`
    const server = createTestServer({
      ...{ clientId: 'my-spa', redirectUri, key },
      respond: () => Response.json(['buy milk']),
    })
    server.user = { sub: 'ada' }
    const context = await browser.newContext()
    context.setDefaultTimeout(15_000)
    const problems: string[] = []
    context.on('weberror', error => problems.push(String(error.error())))
    await playwrightRoutes(server, context)
    const page = await context.newPage()

    await page.goto(app.origin)
    if (asks) await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText(shows).waitFor()
    expect(new URL(page.url()).pathname).toBe('/')
    expect(server.count('authorization_code')).toBe(1)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    expect(await page.getByText(shows).count()).toBe(0)
    expect([problems, server.complaints]).toEqual([[], []])
    await context.close()
    await app.close()
  },
)
