import { fileURLToPath } from 'node:url'
import { defineConfig } from '@playwright/test'
import { chromiumArgs, findChromium, findHeadlessShell } from './chromium.ts'

/** Runs the Playwright samples of docs/testing.md, for an app at `APP_URL`. */
export default defineConfig({
  testDir: fileURLToPath(new URL('../../examples/testing/playwright', import.meta.url)),
  outputDir: process.env.OUTPUT_FOLDER,
  workers: 1,
  reporter: 'list',
  use: {
    baseURL: process.env.APP_URL,
    launchOptions: { executablePath: findHeadlessShell() ?? findChromium(), args: chromiumArgs },
  },
})
