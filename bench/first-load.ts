import { existsSync, readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Candidate, type Loads, measureLoads, type Network } from './support/app-loads.ts'
import { type App, bundleApp } from './support/pages.ts'
import { type Bench, interval, median, percent, quantile, ratioOf, type Table } from './support/report.ts'

/** As Lighthouse has it: what a phone gets at the edge of a cell. */
const slow4g: Network = { latencyMs: 150, downKbps: 1600, upKbps: 750 }

const networks: readonly (readonly [name: string, network: Network])[] = [
  ['slow 4G', slow4g],
  ['loopback', undefined],
]

const fromRoot = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** Whether something in src is newer than what was built of it. */
function isStale(): boolean {
  const built = statSync(fromRoot('dist/index.js')).mtimeMs
  return readdirSync(fromRoot('src'), { recursive: true })
    .map(name => statSync(fromRoot(`src/${name}`)))
    .some(entry => entry.isFile() && entry.mtimeMs > built)
}

/** What every bundler preloads: what the first file imports by statements. */
const usual = (name: string, app: App): Candidate => ({ name, app, preloads: app.imported })

async function bundleAll(): Promise<Candidate[]> {
  const one = async (name: string, page: string, entry = 'index') =>
    usual(name, await bundleApp(page, `dist/${entry}.js`))
  const candidates = [await one('latchkey', 'latchkey')]
  if (existsSync(fromRoot('dist/lazy.js'))) {
    const lazy = await one('latchkey/lazy', 'latchkey', 'lazy')
    const { app } = lazy
    candidates.push(lazy, { name: '  and all preloaded', app, preloads: [...app.imported, ...app.loaded] })
  }
  candidates.push(await one('oidc-client-ts', 'oidc-client-ts'), await one('auth0-spa-js', 'auth0-spa-js'))
  return [...candidates, await one('minimal client', 'minimal')]
}

const weigh = ({ files }: App, names: readonly string[]): number =>
  names.reduce((bytes, name) => bytes + (files.get(name)?.length ?? 0), 0)

const kb = (bytes: number) => (bytes / 1024).toFixed(1)

const sizes = (candidates: readonly Candidate[]): Table => ({
  title: "the page's scripts, minified, KB with gzip: the library and the same few lines of an app",
  columns: ['', 'before the first line', 'by import()', 'files'],
  rows: candidates.map(({ name, app }) => [
    name,
    kb(weigh(app, [app.entry, ...app.imported])),
    kb(weigh(app, app.loaded)),
    app.files.size,
  ]),
})

const states = ['fresh', 'expired'] as const

/** Every other candidate beside the first one, which is latchkey in one piece. */
function timesOf(title: string, candidates: readonly Candidate[], loads: readonly Loads[]): Table {
  const row = (state: keyof Loads, name: string, at: number) => {
    const of = (which: number) => (loads[which]?.[state] ?? []).map(({ answered }) => answered)
    const ratio = ratioOf(of(at), of(0))
    const fastest = quantile(of(at), 0.1) / quantile(of(0), 0.1)
    return [
      at === 0 ? state : '',
      name,
      median(of(at)).toFixed(0),
      ...(at === 0 ? ['', '', ''] : [percent(ratio.ratio), interval(ratio), percent(fastest)]),
      median((loads[at]?.[state] ?? []).map(times => times.requests)),
    ]
  }
  return {
    title,
    columns: ['', '', 'ms', 'ratio', 'nine times in ten', 'fastest tenth', 'requests before'],
    rows: states.flatMap(state => candidates.map(({ name }, at) => row(state, name, at))),
  }
}

/** The first load of a signed-in user's page, for latchkey in one piece and in two, and for its peers. */
export const bench: Bench = {
  title: "from the navigation to the first API call's answer, with nothing cached",
  async run({ rounds = 20, say }) {
    if (!existsSync(fromRoot('dist/index.js')))
      return { tables: [], notes: ['Skipped: there is no dist. Run `npm run build` first.'] }
    say('bundling')
    const candidates = await bundleAll()
    const hasLazy = existsSync(fromRoot('dist/lazy.js'))
    const loads = await measureLoads(
      candidates,
      networks.map(([, network]) => network),
      false,
      rounds,
      say,
    )
    return {
      tables: [
        sizes(candidates),
        ...networks.map(([name], at) => timesOf(name, candidates, loads[at] ?? [])),
      ],
      notes: [
        `medians of ${rounds} page loads each, by turns; slow 4G: 150 ms a request, 1.6 Mbit/s down, 750 kbit/s up`,
        'fresh: the stored access token is good; expired: it has to be refreshed before the call',
        'ratio: to latchkey in one piece; requests before: to the authorization server, answered when the call left',
        ...(hasLazy ? [] : ['latchkey/lazy is skipped: there is no dist/lazy.js. Run `npm run build`.']),
        ...(isStale()
          ? ['dist is older than src: run `npm run build` for the figures of what is there now.']
          : []),
      ],
    }
  },
}
