import { fileURLToPath } from 'node:url'
import { defineConfig } from '@playwright/test'
import { chromiumArgs, findChromium } from './chromium.ts'

/** Runs the Playwright samples of docs/testing.md, for an app at `APP_URL`. */
export default defineConfig({
  testDir: fileURLToPath(new URL('../../examples/testing/playwright', import.meta.url)),
  outputDir: process.env.OUTPUT_FOLDER,
  workers: 1,
  reporter: 'list',
  use: {
    baseURL: process.env.APP_URL,
    launchOptions: { executablePath: findChromium(), args: chromiumArgs },
  },
})
