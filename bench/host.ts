import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { Plugin } from 'esbuild'
import type { StartTimes } from './pages/start/start-page.ts'
import { type Candidate, type Loads, measureLoads } from './support/app-loads.ts'
import { withProfileOnDisk } from './support/browser.ts'
import { type App, bundleApp, bundlePage, bundleWorker, startPages } from './support/pages.ts'
import { startPlainApi, startPlainProvider } from './support/plain-servers.ts'
import { type Bench, interval, median, percent, quantile, ratioOf, type Table } from './support/report.ts'
import type { Times } from './support/turns.ts'

/** All that knows of a host in an app that does not import `latchkey/worker`. */
const hooks: Readonly<Record<string, readonly [found: string, without: string]>> = {
  'src/client.ts': ['options.host?.({', 'undefined?.({'],
  'src/authorization/refresh-attempt.ts': ['(await inHost(wanted)) ??', ''],
}

/** The same sources as if there were no option `host`. */
const withoutHost: Plugin = {
  name: 'without host',
  setup({ onLoad }) {
    for (const [file, [found, without]] of Object.entries(hooks)) {
      onLoad({ filter: new RegExp(`/${file.replaceAll('.', '\\.')}$`) }, ({ path }) => {
        const parts = readFileSync(path, 'utf8').split(found)
        if (parts.length !== 2)
          throw new Error(`${file} has changed: bench/host.ts does not find "${found}".`)
        return { contents: parts.join(without), loader: 'ts' }
      })
    }
  },
}

async function candidates(workerScript: string): Promise<Candidate[]> {
  const asIs = await bundleApp('latchkey', 'src/index.ts')
  const hosted = await bundleApp('hosted', 'src/index.ts')
  const files = new Map([...hosted.files, ['latchkey-worker.js', gzipSync(workerScript, { level: 9 })]])
  return [
    ['as if there were no option "host"', await bundleApp('latchkey', 'src/index.ts', [withoutHost])],
    ['latchkey/worker is not imported', asIs],
    ['  the same again', asIs],
    ['with host: worker(url)', { ...hosted, files }],
  ].map(([name, app]) => ({ name, app, preloads: [] }) as Candidate)
}

const weigh = ({ files, entry }: App) => ((files.get(entry)?.length ?? 0) / 1024).toFixed(2)

const comparison = ['median', 'difference', 'ratio', 'nine times in ten', 'fastest tenth']

/** @param base what was measured beside `values`; `undefined`: they are the base themselves. */
const compared = (values: readonly number[], base: readonly number[] | undefined, digits = 2) => {
  if (!base) return [median(values).toFixed(digits), '', '', '', '']
  const ratio = ratioOf(values, base)
  const fastest = quantile(values, 0.1) / quantile(base, 0.1)
  const difference = median(values) - median(base)
  const signed = `${difference < 0 ? '−' : '+'}${Math.abs(difference).toFixed(digits)}`
  return [median(values).toFixed(digits), signed, percent(ratio.ratio), interval(ratio), percent(fastest)]
}

type Fresh = Awaited<ReturnType<Window['hosts']['measureFresh']>>

const freshTable = (fresh: Fresh): Table => ({
  title: 'a call with a fresh access token in memory, µs',
  columns: ['', '', ...comparison],
  rows: Object.entries(fresh).flatMap(([name, { bare, again, hosted }]) => [
    [name, 'without a host', ...compared(bare, undefined, 3)],
    ['', '  the same again', ...compared(again, bare, 3)],
    ['', 'with a host', ...compared(hosted, bare, 3)],
  ]),
})

function refreshTable(times: Times): Table {
  const of = (name: string) => times[name] ?? []
  const row = (label: string, name: string, base?: string) => [
    label,
    ...compared(of(name), base === undefined ? undefined : of(base)),
  ]
  return {
    title: 'an access token that has to be refreshed first, ms',
    columns: ['', ...comparison],
    rows: [
      row('in the page', 'page'),
      row('  the same again', 'again', 'page'),
      row('  with writes of default durability', 'relaxed', 'page'),
      row('in the SharedWorker', 'shared', 'page'),
      row('in the service worker', 'service', 'page'),
      row('one message to the SharedWorker and its answer', 'message to shared'),
      row('one message to the service worker and its answer', 'message to service'),
    ],
  }
}

const writeTable = (times: Times): Table => ({
  title: 'one write of a session to IndexedDB on disk, ms (a refresh has two)',
  columns: ['durability', ...comparison],
  rows: Object.entries(times).map(([name, values]) => [
    name,
    ...compared(values, name === 'default' ? undefined : times.default),
  ]),
})

const loadTable = (
  title: string,
  apps: readonly Candidate[],
  loads: readonly Loads[],
  from: (times: StartTimes) => number,
): Table => {
  const of = (state: keyof Loads, at: number) => (loads[at]?.[state] ?? []).map(from)
  const states = [
    ['fresh', 'fresh token'],
    ['expired', 'expired'],
  ] as const
  return {
    title,
    columns: ['', '', 'KB gzip', ...comparison],
    rows: states.flatMap(([state, label]) =>
      apps.map(({ name, app }, at) => [
        at === 0 ? label : '',
        name,
        weigh(app),
        ...compared(of(state, at), at === 0 ? undefined : of(state, 0), 1),
      ]),
    ),
  }
}

/** What `latchkey/worker` costs, in a real Chromium with its profile on disk. */
export const bench: Bench = {
  title: 'what a worker host costs, and what it costs those who do not import it',
  async run({ rounds = 200, say }) {
    const [provider, api] = await Promise.all([startPlainProvider(), startPlainApi()])
    const workerScript = await bundleWorker()
    const scripts = { host: await bundlePage('host'), 'latchkey-worker': workerScript }
    const pages = await startPages(scripts, () => ({}))
    const loadRounds = Math.ceil(rounds / 5)
    try {
      const inPage = await withProfileOnDisk(async context => {
        const page = await context.newPage()
        await page.goto(pages.origin)
        const settings = [{ issuer: `${provider.origin}/`, apiOrigin: api.origin }, rounds] as const
        say('calls with a fresh access token')
        const fresh = await page.evaluate(
          ([origins, count]) => window.hosts.measureFresh(origins, Math.ceil(count / 4)),
          settings,
        )
        say('refreshes')
        const refreshes = await page.evaluate(
          ([origins, count]) => window.hosts.measureRefreshes(origins, count),
          settings,
        )
        say('writes')
        const writes = await page.evaluate(count => window.hosts.measureWrites(count), rounds)
        return { fresh, refreshes, writes }
      })
      const apps = await candidates(workerScript)
      const [first = []] = await measureLoads(apps, [undefined], false, loadRounds, say)
      const [reloads = []] = await measureLoads(apps, [undefined], true, loadRounds, say)
      return {
        tables: [
          freshTable(inPage.fresh),
          refreshTable(inPage.refreshes),
          writeTable(inPage.writes),
          loadTable(
            'first load: from the navigation to the first answer, ms',
            apps,
            first,
            times => times.answered,
          ),
          loadTable(
            'restore: a reload, from the first line to the first answer, ms',
            apps,
            reloads,
            times => times.answered - times.firstLine,
          ),
        ],
        notes: [
          `by turns; ${rounds} refreshes and writes of each kind, ${Math.ceil(rounds / 4)} blocks of calls, ${loadRounds} page loads`,
          'difference, ratio, nine times in ten (bootstrap), fastest tenth: to the first row of each group; "again" shows the noise',
        ],
      }
    } finally {
      await Promise.all([pages.close(), provider.close(), api.close()])
    }
  },
}
