import { newUser, withChromium } from './support/browser.ts'
import type { CallTimes, TokenTimes } from './support/measure-call.ts'
import { importBundled } from './support/node-bundle.ts'
import { bundlePage, startPages } from './support/pages.ts'
import { startPlainApi } from './support/plain-servers.ts'
import { type Bench, median, percent, quantile } from './support/report.ts'

const micro = (ms: number) => (ms * 1000).toFixed(1)

const callRows = (where: string, times: readonly CallTimes[]) =>
  times.map(({ kind, bare, latchkey }, at) => [
    at === 0 ? where : '',
    kind,
    micro(median(bare)),
    micro(median(latchkey)),
    micro(median(latchkey.map((took, turn) => took - (bare[turn] as number)))),
    percent(median(latchkey) / median(bare)),
    percent(quantile(latchkey, 0.1) / quantile(bare, 0.1)),
  ])

const ownRows = (where: string, times: readonly CallTimes[]) =>
  times.map(({ kind, bare, latchkey }, at) => [
    at === 0 ? where : '',
    kind,
    median(bare).toFixed(2),
    median(latchkey).toFixed(2),
    (median(latchkey) - median(bare)).toFixed(2),
  ])

const tokenRow = (where: string, { empty, getAccessToken }: TokenTimes) => [
  where,
  median(empty).toFixed(0),
  median(getAccessToken).toFixed(0),
  quantile(getAccessToken, 0.1).toFixed(0),
]

async function inChromium(apiOrigin: string, count: number, blocks: number) {
  const pages = await startPages({ call: await bundlePage('call') }, () => ({}))
  try {
    return await withChromium(async browser => {
      const context = await newUser(browser)
      const page = await context.newPage()
      await page.goto(pages.origin)
      const calls = await page.evaluate(([origin, turns]) => window.calls.measureCalls(origin, turns, 5), [
        apiOrigin,
        count,
      ] as const)
      const own = await page.evaluate(n => window.calls.measureOwnCost(n), blocks)
      return { calls, own, tokens: await page.evaluate(n => window.calls.measureGetAccessToken(n), blocks) }
    })
  } finally {
    await pages.close()
  }
}

/** `client.fetch` beside `fetch` with a header that was written by hand. */
export const bench: Bench = {
  title: 'what a call costs with a fresh token in memory',
  async run({ rounds = 2000, say }) {
    const blocks = Math.max(5, Math.min(100, Math.ceil(rounds / 30)))
    type OnNode = typeof import('./support/measure-call.ts')
    const onNode = await importBundled<OnNode>('measure-call')
    const api = await startPlainApi()
    try {
      say(`Node: ${rounds} calls of each kind`)
      const calls = await onNode.measureCalls(api.origin, rounds, 1)
      const tokens = await onNode.measureGetAccessToken(blocks)
      const own = await onNode.measureOwnCost(blocks)
      say('Chromium')
      const page = await inChromium(api.origin, Math.ceil(rounds / 10), blocks)
      return {
        tables: [
          {
            title: `one call on loopback in µs, one after the other, by turns; ${rounds} of each on Node, half in Chromium`,
            columns: [
              '',
              'call',
              'fetch',
              'client.fetch',
              'difference',
              'ratio',
              'ratio of the fastest tenth',
            ],
            rows: [...callRows('Node', calls), ...callRows('Chromium', page.calls)],
          },
          {
            title: `the same with a fetch that answers at once, µs per call; ${blocks} blocks of 2,000 each`,
            columns: ['', 'call', 'fetch', 'client.fetch', 'difference'],
            rows: [...ownRows('Node', own), ...ownRows('Chromium', page.own)],
          },
          {
            title: `getAccessToken() with a fresh token, ns per call; ${blocks} blocks of 20,000`,
            columns: ['', 'empty async function', 'getAccessToken()', 'its fastest tenth'],
            rows: [tokenRow('Node', tokens), tokenRow('Chromium', page.tokens)],
          },
        ],
        notes: [
          'medians; difference: the median of the differences between neighbours',
          'Chromium: five calls timed as one',
        ],
      }
    } finally {
      await api.close()
    }
  },
}
