import type { StartTimes } from './pages/start/start-page.ts'
import { type Loads, measureLoads } from './support/app-loads.ts'
import { newUser, withChromium } from './support/browser.ts'
import type { Place, StartServers } from './support/measure-node.ts'
import { importBundled } from './support/node-bundle.ts'
import { bundleApp, bundlePage, startPages } from './support/pages.ts'
import { startPlainApi, startPlainProvider } from './support/plain-servers.ts'
import {
  type Bench,
  interval,
  median,
  percent,
  quantile,
  ratioOf,
  type Table,
  verdict,
} from './support/report.ts'
import type { Times } from './support/turns.ts'

/** What latchkey may take, at most, of what its first neighbour takes. */
const goals = { call: 1.05, expired: 1.15, restore: 1.05 } as const

type Goal = keyof typeof goals

async function paceInChromium(apiOrigin: string, rounds: number): Promise<Times> {
  const pages = await startPages({ call: await bundlePage('call') }, () => ({}))
  try {
    return await withChromium(async browser => {
      const page = await (await newUser(browser)).newPage()
      await page.goto(pages.origin)
      return page.evaluate(([origin, turns]) => window.calls.measurePace(origin, turns), [
        apiOrigin,
        rounds,
      ] as const)
    })
  } finally {
    await pages.close()
  }
}

/** Page loads by the minimal client, by the same again, and by latchkey. */
async function loadsInChromium(rounds: number, say: (line: string) => void) {
  const minimal = await bundleApp('minimal', 'src/index.ts')
  const latchkey = await bundleApp('latchkey', 'src/index.ts')
  const candidates = [
    { name: 'minimal client', app: minimal, preloads: [] },
    { name: 'minimal client again', app: minimal, preloads: [] },
    { name: 'latchkey', app: latchkey, preloads: [] },
  ]
  const [loads = []] = await measureLoads(candidates, [undefined], true, rounds, say)
  return (state: keyof Loads, time: (times: StartTimes) => number): Times =>
    Object.fromEntries(candidates.map(({ name }, at) => [name, (loads[at]?.[state] ?? []).map(time)]))
}

/** The first of `times` is what all are compared with. */
function rows(where: string, times: Times, goal: Goal): Table['rows'] {
  const [[, base] = ['', []]] = Object.entries(times)
  return Object.entries(times).map(([name, values], at) => {
    const ratio = ratioOf(values, base)
    const fastest = quantile(values, 0.1) / quantile(base, 0.1)
    return [
      at === 0 ? where : '',
      name,
      median(values).toFixed(2),
      ...(at === 0 ? ['', '', ''] : [percent(ratio.ratio), interval(ratio), percent(fastest)]),
      name === 'latchkey' ? verdict(ratio, goals[goal]) : '',
    ]
  })
}

const table = (
  title: string,
  goal: Goal,
  parts: readonly (readonly [where: string, times: Times])[],
): Table => ({
  title,
  columns: ['', '', 'ms', 'ratio', 'nine times in ten', 'fastest tenth', 'goal'],
  rows: parts.flatMap(([where, times]) => rows(where, times, goal)),
})

/** latchkey beside what an app would write itself: bench/minimal-client.ts. */
export const bench: Bench = {
  title: 'what latchkey costs beside bare fetch and a minimal client',
  async run({ rounds = 200, say }) {
    type OnNode = typeof import('./support/measure-node.ts')
    const { measurePaceOnNode, measureStart } = await importBundled<OnNode>('measure-node')
    const [provider, api] = await Promise.all([startPlainProvider(), startPlainApi()])
    const servers: StartServers = { providerOrigin: provider.origin, apiOrigin: api.origin }
    const loadRounds = Math.ceil(rounds / 4)
    const start = (place: Place, isExpired: boolean) => {
      say(`Node: ${isExpired ? 'first call after expiry' : 'restore'}, tokens in ${place}`)
      return measureStart(servers, place, isExpired, rounds)
    }
    try {
      say('Node: calls at a human pace')
      const pace = await measurePaceOnNode(api.origin, rounds)
      say('Chromium: calls at a human pace')
      const pagePace = await paceInChromium(api.origin, loadRounds)
      const expiredInMemory = await start('memory', true)
      const expiredInFile = await start('file', true)
      const restoredFromFile = await start('file', false)
      const loads = await loadsInChromium(loadRounds, say)
      const leaves = ({ called, firstLine }: StartTimes) => called - firstLine
      const answered = ({ answered: at, firstLine }: StartTimes) => at - firstLine
      return {
        tables: [
          table('a GET with a fresh token in memory, one every 50 to 100 ms', 'call', [
            ['Node', pace],
            ['Chromium', pagePace],
          ]),
          table('first call after expiry: from the first line to its answer', 'expired', [
            ['Node, memory', expiredInMemory],
            ['Node, file', expiredInFile],
            ['Chromium', loads('expired', answered)],
          ]),
          table('restore: from the first line to the first call with a fresh token', 'restore', [
            ['Node, file: answered', restoredFromFile],
            ['Chromium: answered', loads('fresh', answered)],
            ['Chromium: leaves the page', loads('fresh', leaves)],
          ]),
        ],
        notes: [
          `medians of ${rounds} rounds on Node, of ${loadRounds} in Chromium, by turns; ratios to the first row of each group`,
          'nine times in ten: where the ratio lies; what "again" shows is noise, because it is the same as the first row',
          'on Node the minimal client has no lock that other processes respect; in a file, that is most of the difference',
        ],
      }
    } finally {
      await Promise.all([provider.close(), api.close()])
    }
  },
}
