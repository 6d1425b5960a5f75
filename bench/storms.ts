import type { Browser, BrowserContext, Page } from 'playwright'
import { newUser, openPage, signIn, withChromium } from './support/browser.ts'
import { bundlePage, startPages } from './support/pages.ts'
import { startPlainApi } from './support/plain-servers.ts'
import { type BenchProvider, type RefreshFault, startBenchProvider } from './support/provider.ts'
import { type Bench, range, sum } from './support/report.ts'
import { pause } from './support/turns.ts'

const libraries = ['latchkey', 'oidc-client-ts', 'auth0-spa-js'] as const

interface Storm {
  readonly title: string
  readonly tabs: number
  readonly callsPerTab: number
  readonly kind: 'expired' | 'reloaded' | 'revoked' | 'refused'
  /** What the first refresh meets. */
  readonly fault?: RefreshFault
}

const storms: readonly Storm[] = [
  { title: '1 tab × 50 calls, expired token', tabs: 1, callsPerTab: 50, kind: 'expired' },
  { title: '5 tabs × 20 calls, expired token', tabs: 5, callsPerTab: 20, kind: 'expired' },
  { title: '5 tabs reloaded at once, 4 calls each', tabs: 5, callsPerTab: 4, kind: 'reloaded' },
  { title: 'first refresh answered 503', tabs: 1, callsPerTab: 20, kind: 'expired', fault: 'unavailable' },
  { title: 'reset before the grant', tabs: 1, callsPerTab: 20, kind: 'expired', fault: 'reset-before' },
  { title: 'reset after the grant', tabs: 1, callsPerTab: 20, kind: 'expired', fault: 'reset-after' },
  { title: 'API always answers 401', tabs: 1, callsPerTab: 20, kind: 'refused' },
  { title: 'token revoked at the API', tabs: 1, callsPerTab: 20, kind: 'revoked' },
]

/** How long the token lives that has to be expired when a storm begins. */
const EXPIRING_SECONDS = 1
/** Until all tabs have heard when to begin. */
const LEAD_MS = 300

interface Outcome {
  readonly refreshes: number
  readonly replays: number
  readonly succeeded: number
  readonly alive: number
}

async function strike(storm: Storm, tabs: readonly Page[], provider: BenchProvider, refusing: string) {
  const { kind, callsPerTab, fault } = storm
  if (kind === 'revoked') await provider.revokeAccessTokens()
  if (fault) provider.failNext(fault)
  if (kind === 'refused') {
    const row = tabs.map(tab =>
      tab.evaluate(([count, url]) => window.bench.row(count, url), [callsPerTab, refusing] as const),
    )
    return sum(await Promise.all(row))
  }
  if (kind === 'reloaded') {
    const query = `?calls=${callsPerTab}`
    await Promise.all(tabs.map(tab => tab.evaluate(search => void location.assign(search), query)))
    await Promise.all(tabs.map(tab => tab.waitForURL(`**/${query}`)))
    return sum(await Promise.all(tabs.map(tab => tab.evaluate(() => window.bench.loaded))))
  }
  const at = Date.now() + LEAD_MS
  const parts = tabs.map(tab =>
    tab.evaluate(([count, when]) => window.bench.storm(count, window.bench.config.apiUrl, when), [
      callsPerTab,
      at,
    ] as const),
  )
  return sum((await Promise.all(parts)).map(({ succeeded }) => succeeded))
}

async function experience(
  storm: Storm,
  context: BrowserContext,
  pageUrl: string,
  provider: BenchProvider,
  refusing: string,
): Promise<Outcome> {
  const isExpired = storm.kind === 'expired' || storm.kind === 'reloaded'
  provider.issueFor(isExpired ? EXPIRING_SECONDS : 3600)
  await signIn(context, pageUrl)
  provider.issueFor(3600)
  // expiry is kept in whole seconds by some
  if (isExpired) await pause(EXPIRING_SECONDS * 1000 + 1500)
  const tabs: Page[] = []
  for (let tab = 0; tab < storm.tabs; tab++) tabs.push(await openPage(context, pageUrl))
  provider.forget()
  const succeeded = await strike(storm, tabs, provider, refusing)
  const [refreshes, replays] = [provider.refreshes(), provider.replays()]
  let alive = 0
  for (const tab of tabs)
    if (await tab.evaluate(() => window.bench.succeeds(window.bench.config.apiUrl))) alive++
  return { refreshes, replays, succeeded, alive }
}

/** A fresh provider, a fresh user, a fresh origin. */
async function once(storm: Storm, bundle: string, browser: Browser, refusing: string): Promise<Outcome> {
  const config = { issuer: '', clientId: '', apiUrl: '', apiOrigins: [new URL(refusing).origin] }
  const pages = await startPages({ page: bundle }, () => config)
  const provider = await startBenchProvider(pages.origin)
  const context = await newUser(browser)
  try {
    const { issuer, clientId, apiUrl } = provider
    Object.assign(config, { issuer, clientId, apiUrl })
    config.apiOrigins.push(new URL(apiUrl).origin)
    return await experience(storm, context, `${pages.origin}/`, provider, refusing)
  } finally {
    await context.close()
    await Promise.all([provider.close(), pages.close()])
  }
}

/** Storms that make sessions end, for latchkey and its peers. */
export const bench: Bench = {
  title: 'what is left of a session after a storm; real Chromium, real oidc-provider, no reuse grace',
  async run({ rounds = 3, say }) {
    const bundles = await Promise.all(libraries.map(library => bundlePage(library)))
    const api = await startPlainApi()
    const columns = ['storm', 'library', 'token requests', 'replays', 'calls succeeded', 'sessions alive']
    const rows: (string | number)[][] = []
    try {
      for (const storm of storms) {
        const outcomes = libraries.map((): Outcome[] => [])
        for (let round = 0; round < rounds; round++)
          for (const [at, library] of libraries.entries()) {
            say(`${storm.title}: ${library}, round ${round + 1} of ${rounds}`)
            const browse = (browser: Browser) =>
              once(storm, bundles[at] as string, browser, `${api.origin}/refused`)
            outcomes[at]?.push(await withChromium(browse))
          }
        for (const [at, library] of libraries.entries()) {
          const seen = outcomes[at] ?? []
          const of = (field: keyof Outcome) => seen.map(outcome => outcome[field])
          rows.push([
            at === 0 ? storm.title : '',
            library,
            range(of('refreshes')),
            range(of('replays')),
            `${sum(of('succeeded'))} / ${rounds * storm.tabs * storm.callsPerTab}`,
            `${sum(of('alive'))} / ${rounds * storm.tabs}`,
          ])
        }
      }
    } finally {
      await api.close()
    }
    return {
      tables: [{ title: `${rounds} round(s); calls and sessions are added up`, columns, rows }],
      notes: [
        'token requests: refresh requests per round, least to most; replays: a refresh token given twice to the provider',
        'sessions alive: tabs in which one further call works; no call can succeed where the API always answers 401',
      ],
    }
  },
}
