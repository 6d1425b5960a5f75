import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { bundleBindings, type Versions } from './support/bindings/framework-versions.ts'
import { chromiumArgs, findChromium } from './support/chromium.ts'
import { createSummaryReporter } from './support/summary-reporter.ts'

const fromRoot = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

const atATime = (maxWorkers: number, groupOrder: number) => ({ maxWorkers, sequence: { groupOrder } })

/**
 * Files of a project share its processes: a process and its modules for each file cost a third of the CPU time of `node`. The
 * setup file fails a file that leaves something behind.
 */
const shared = { isolate: false, setupFiles: ['test/support/shared-process.ts'] }

/** Files that change what all files of a process see, or depend on all of it. Each has a process of its own. */
const alone = [
  // @hono/node-server replaces the global Request and Response
  'test/scenarios/resource-server/mutual-tls.test.ts',
  'test/http-clients/beside-hono.test.ts',
  'test/contracts/bindings-on-a-server.node.test.ts', // Angular's server defines a DOM, and replaces Event
  'test/scenarios/jsdom.test.ts', // the globals of jsdom
  'test/fuzz/linear.test.ts', // its profiler counts every function of the process, which takes long where there are many
  'examples/testing/*.test.ts', // the samples of docs/testing.md: jsdom, happy-dom, and msw, which replaces fetch
]

const browserTimes = { testTimeout: 90_000, hookTimeout: 90_000 }

export default defineConfig({
  root: fromRoot('.'),
  resolve: {
    alias: [
      { find: /^latchkey$/, replacement: fromRoot('src/index.ts') },
      { find: /^latchkey\/(.+)$/, replacement: fromRoot('src/$1.ts') },
    ],
  },
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    restoreMocks: true,
    // machines are shared: a condition may take a while, and the wait ends as soon as it holds
    expect: { poll: { timeout: 10_000 } },
    reporters: ['default', createSummaryReporter()],
    // One group after the other. test/run.ts runs `browser` and `engines` beside them.
    projects: [
      {
        extends: true,
        plugins: [svelte({ configFile: false })],
        test: {
          name: 'node',
          include: [
            'test/{unit,contracts,scenarios,servers,simulation,fuzz,hostile,http-clients}/**/*.test.ts',
          ],
          exclude: alone,
          ...shared,
          ...atATime(2, 1),
        },
      },
      {
        extends: true,
        plugins: [svelte({ configFile: false })],
        test: { name: 'alone', include: alone, ...atATime(2, 1) },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          globalSetup: ['test/package/packed.setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          ...atATime(2, 1),
        },
      },
      {
        extends: true,
        test: {
          name: 'runtimes',
          include: ['test/runtimes/*.test.ts'],
          globalSetup: ['test/package/packed.setup.ts', 'test/runtimes/install.setup.ts'],
          testTimeout: 60_000,
          ...atATime(2, 1),
        },
      },
      {
        extends: true,
        plugins: [svelte({ configFile: false })],
        // Listed in advance: a dependency that is found late reloads the page during a test.
        optimizeDeps: {
          include: [
            ...['oauth4webapi', 'idb-keyval', 'ky', 'fast-check', 'msw'],
            ...[
              'react',
              'react-dom/client',
              'react-router',
              'react-router/dom',
              '@tanstack/react-router',
              'swr',
              '@apollo/client',
              '@tanstack/react-query',
            ],
            ...['vue', 'vue-router', 'pinia', 'solid-js', 'solid-js/web', 'rxjs', '@ngrx/store'],
            ...['core', 'common', 'common/http', 'router', 'platform-browser', 'compiler'].map(
              name => `@angular/${name}`,
            ),
          ],
        },
        test: {
          name: 'browsers',
          include: [
            'test/browser/*.test.ts',
            'test/browser/bindings/*.test.ts',
            'examples/testing/browser/*.test.ts', // the sample of docs/testing.md
          ],
          globalSetup: ['test/browser/recording.setup.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            commands: { bundleBindings: (_context, versions: Versions) => bundleBindings(versions) },
            provider: playwright({ launchOptions: { executablePath: findChromium(), args: chromiumArgs } }),
            instances: [{ browser: 'chromium', name: 'browser' }],
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'engines',
          include: ['test/browser/engines/*.test.ts'],
          globalSetup: ['test/browser/engines/firefox.setup.ts'],
          isolate: false,
          setupFiles: ['test/support/engines/driver.ts', ...shared.setupFiles],
          ...browserTimes,
          // beside another file, storms of five tabs failed in Firefox, and once WebKit's driver did not return from Back
          ...atATime(1, 4),
        },
      },
      {
        extends: true,
        test: {
          name: 'end-to-end',
          include: ['test/browser/e2e/**/*.test.ts'],
          ...shared,
          ...browserTimes,
          ...atATime(3, 2), // a browser waits for most of a test
        },
      },
    ],
  },
})
