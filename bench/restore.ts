import type { RestoreTimes } from './pages/restore-page.ts'
import { newUser, withChromium } from './support/browser.ts'
import { bundlePage, startPages } from './support/pages.ts'
import { startPlainApi } from './support/plain-servers.ts'
import { type Bench, median, quantile } from './support/report.ts'

const libraries = ['latchkey', 'oidc-client-ts', 'oauth2-client', 'indexeddb'] as const

const FIRST_LINE = "performance.mark('first line');"
const WARM_UP = 5

/** Loads each library's page by turns in one tab. */
async function loadPages(pageOrigin: string, rounds: number, say: (line: string) => void) {
  const seen = libraries.map((): RestoreTimes[] => [])
  await withChromium(async browser => {
    const context = await newUser(browser)
    const page = await context.newPage()
    await page.goto(`${pageOrigin}/restore-setup`)
    await page.waitForFunction(() => document.title === 'stored')
    for (let round = -WARM_UP; round < rounds; round++) {
      say(`page loads: ${round + 1} of ${rounds}`)
      for (let turn = 0; turn < libraries.length; turn++) {
        const at = (turn + round + WARM_UP) % libraries.length // nobody always comes after the same neighbour
        await page.goto(`${pageOrigin}/restore-${libraries[at]}`)
        await page.waitForFunction(() => window.restored !== undefined)
        const times = await page.evaluate(() => window.restored)
        if (times && round >= 0) seen[at]?.push(times)
      }
    }
  })
  return seen
}

/** From a page's script to its first API call, with a session in the library's own storage. */
export const bench: Bench = {
  title: 'restoring a session: until the first API call leaves the page',
  async run({ rounds = 60, say }) {
    const api = await startPlainApi()
    const setup = await bundlePage('restore-setup')
    const bundles = await Promise.all(
      libraries.map(
        async library => [`restore-${library}`, await bundlePage(`restore-${library}`, FIRST_LINE)] as const,
      ),
    )
    const scripts = { ...Object.fromEntries(bundles), 'restore-setup': setup }
    const pages = await startPages(scripts, () => ({ apiUrl: `${api.origin}/notes` }))
    try {
      const seen = await loadPages(pages.origin, rounds, say)
      const of = (at: number, field: keyof RestoreTimes) => (seen[at] ?? []).map(times => times[field])
      const ms = (value: number) => value.toFixed(1)
      return {
        tables: [
          {
            title: `ms, medians of ${rounds} page loads each, by turns`,
            columns: [
              'library',
              'from first line',
              'fastest tenth',
              'from arrival',
              'fastest tenth',
              'bundle KB',
            ],
            rows: libraries.map((library, at) => [
              library === 'indexeddb' ? 'IndexedDB without a library' : library,
              ms(median(of(at, 'fromFirstLine'))),
              ms(quantile(of(at, 'fromFirstLine'), 0.1)),
              ms(median(of(at, 'fromArrival'))),
              ms(quantile(of(at, 'fromArrival'), 0.1)),
              (median(of(at, 'bundleBytes')) / 1000).toFixed(1),
            ]),
          },
        ],
        notes: [
          'from first line: of the evaluated bundle; from arrival: its last byte, so with compiling and queueing',
          'latchkey reads IndexedDB (asynchronous), the others localStorage (synchronous)',
        ],
      }
    } finally {
      await Promise.all([pages.close(), api.close()])
    }
  },
}
