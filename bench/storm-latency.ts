import type { Page } from 'playwright'
import { newUser, openPage, signIn, withChromium } from './support/browser.ts'
import { bundlePage, startPages } from './support/pages.ts'
import { startPlainApi } from './support/plain-servers.ts'
import { type BenchProvider, startBenchProvider } from './support/provider.ts'
import { type Bench, median, range } from './support/report.ts'
import { pause } from './support/turns.ts'

const TABS = 20
const CALLS = 50
/** How long the tokens live that have to be expired when the next round begins: longer than a round. */
const LIFETIME_SECONDS = 6
const LEAD_MS = 500

interface Burst {
  /** When the last call left its page and when the last answer was there, in ms since 1970. */
  readonly leftAt: number
  readonly answeredAt: number
  readonly succeeded: number
}

/**
 * `fetch` with a header that the page was given; `client.fetch`; `client.fetch` where the page itself answers the
 * calls, so that the browser's network does not hide what is measured.
 */
type Kind = 'bare' | 'network' | 'in page'

/** All tabs at once. */
async function burst(tabs: readonly Page[], kind: Kind): Promise<Burst & { begunAt: number }> {
  const begunAt = Date.now() + LEAD_MS
  const parts = await Promise.all(
    tabs.map(tab =>
      tab.evaluate(
        async ([count, at, how]) => {
          const { bench } = window
          bench.isApiInPage = how === 'in page'
          performance.clearResourceTimings()
          const { succeeded, answeredAt } = await bench.storm(count, bench.config.apiUrl, at, how === 'bare')
          const calls = performance.getEntriesByName(bench.config.apiUrl)
          const leftAt = performance.timeOrigin + Math.max(...calls.map(({ startTime }) => startTime))
          return { succeeded, answeredAt, leftAt }
        },
        [CALLS, begunAt, kind] as const,
      ),
    ),
  )
  return {
    begunAt,
    leftAt: Math.max(...parts.map(part => part.leftAt)),
    answeredAt: Math.max(...parts.map(part => part.answeredAt)),
    succeeded: parts.reduce((total, part) => total + part.succeeded, 0),
  }
}

interface Round {
  readonly refreshes: number
  readonly succeeded: number
  /** From the token response on, in ms. */
  readonly left: number
  readonly answered: number
  readonly answeredInPage: number
  /** The same calls without a client: from their begin on. */
  readonly bare: number
}

const untilExpired = () => pause(LIFETIME_SECONDS * 1000 + 500)

async function storm(tabs: readonly Page[], provider: BenchProvider): Promise<Round[]> {
  await untilExpired()
  const bare = await burst(tabs, 'bare')
  provider.forget()
  const network = await burst(tabs, 'network')
  const refreshes = provider.refreshes()
  const tokenAt = provider.answeredAt()
  await untilExpired()
  provider.forget()
  const inPage = await burst(tabs, 'in page')
  const shared = {
    left: network.leftAt - tokenAt,
    answered: network.answeredAt - tokenAt,
    answeredInPage: inPage.answeredAt - provider.answeredAt(),
    bare: bare.answeredAt - bare.begunAt,
  }
  return [
    { refreshes, succeeded: network.succeeded, ...shared },
    { refreshes: provider.refreshes(), succeeded: inPage.succeeded, ...shared },
  ]
}

async function storms(rounds: number, say: (line: string) => void): Promise<Round[]> {
  const api = await startPlainApi()
  const config = { issuer: '', clientId: '', apiUrl: `${api.origin}/notes`, apiOrigins: [api.origin] }
  const pages = await startPages({ latchkey: await bundlePage('latchkey') }, () => config)
  const provider = await startBenchProvider(pages.origin)
  Object.assign(config, { issuer: provider.issuer, clientId: provider.clientId })
  try {
    return await withChromium(async browser => {
      const context = await newUser(browser)
      const url = `${pages.origin}/`
      provider.issueFor(LIFETIME_SECONDS)
      say('signing in')
      await signIn(context, url)
      const tabs: Page[] = []
      for (let tab = 0; tab < TABS; tab++) {
        say(`tab ${tab + 1} of ${TABS}`)
        tabs.push(await openPage(context, url))
      }
      const seen: Round[] = []
      for (let round = -1; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds}`)
        const figures = await storm(tabs, provider)
        if (round >= 0) seen.push(...figures) // the first one warms up
      }
      return seen
    })
  } finally {
    await Promise.all([provider.close(), pages.close(), api.close()])
  }
}

/** Many tabs wait for one refresh: how soon each call has its answer once the token is there. */
export const bench: Bench = {
  title: `${TABS} tabs × ${CALLS} calls with one expired token`,
  async run({ rounds = 5, say }) {
    const seen = await storms(rounds, say)
    const of = (field: keyof Round) => seen.map(round => round[field])
    const ms = (values: readonly number[]) => [
      median(values).toFixed(0),
      range(values.map(value => Math.round(value))),
    ]
    return {
      tables: [
        {
          title: `${rounds * 2} storms in the same tabs, of each: token requests ${range(of('refreshes'))}, calls that succeeded ${range(of('succeeded'))} of ${TABS * CALLS}`,
          columns: ['ms', 'median', 'least to most'],
          rows: [
            ['token response → last call leaves its page', ...ms(of('left'))],
            ['token response → slowest answer', ...ms(of('answered'))],
            ['token response → slowest answer, API in the page', ...ms(of('answeredInPage'))],
            ['the same calls by bare fetch: begin → slowest answer', ...ms(of('bare'))],
          ],
        },
      ],
      notes: [
        'bare fetch has no token to wait for: what it takes is what the machine and the 6 connections per host need',
      ],
    }
  },
}
