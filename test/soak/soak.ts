import { parseArgs } from 'node:util'
import { createRandom } from '../simulation/scheduler.ts'
import { type Stage, statusOf, until, untilExpired, untilStatus } from '../support/e2e.ts'
import { launchE2eBrowser, type Profile, type Tab } from '../support/e2e-browser.ts'
import { startE2ePages } from '../support/e2e-pages.ts'
import { holdLock, signedInTabs, storm, timedCall, traffic } from '../support/e2e-storms.ts'
import { findEngines } from '../support/engines/find.ts'
import { mayMakePidNamespaces } from '../support/pid-namespace.ts'
import { runFleet } from './fleet-report.ts'
import { type HostStormsRow, hostStorms } from './host-storms.ts'
import { endingsOfEveryEngine, type PageEndsRow, pageEndings, pageEnds } from './page-ends.ts'
import { isClean, processStorm } from './process-storm.ts'
import { type SlowTabsRow, slowTabs } from './slow-tabs.ts'

// The long form of the end-to-end storms: `npm run soak -- --minutes=N --storms=N --kills=N`. It ends by itself. Its exit
// status is 1 if any result is wrong.
//
// Then it runs many tabs in each engine, with and without Web Locks, against a slow server: `--slow-minutes=N` for each of
// the six, `--slow-tabs=N`, `--slow-engines=Chromium,Firefox,WebKit`, `--slow-locks=with,without`, `--seed=N`.
// `--slow-minutes=0` leaves this part out.
//
// `--process-minutes=N` adds ten real processes over one file, as in processes.ts. `--fleet-seconds=N` (0 leaves it out),
// `--fleet-processes=N` and `--fleet-sessions=N`: a fleet over Redis, as in fleet.ts.
//
// `npm run soak -- page-ends` runs only pages that end during their refresh, with a worker host and without: `--times=N` of
// each, `--users=N` at once, `--engines=…`, `--endings=closed,reloaded,…`, `--modes=start,host,host-in-shared-worker`.

// `npm run soak -- host-storms`: 20 and 100 tabs of one user (`--tabs=20,100`) in Chromium, each a page of its own, whose
// access token is revoked `--host-storms=N` times; with the modes of `--modes` that have a worker host.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '3' },
    storms: { type: 'string', default: '100' },
    kills: { type: 'string', default: '20' },
    'process-minutes': { type: 'string', default: '0' },
    'fleet-seconds': { type: 'string', default: '60' },
    'fleet-processes': { type: 'string', default: '20' },
    'fleet-sessions': { type: 'string', default: '200' },
    'slow-minutes': { type: 'string', default: '5' },
    'slow-tabs': { type: 'string', default: '20' },
    'slow-engines': { type: 'string', default: 'Chromium,Firefox,WebKit' },
    'slow-locks': { type: 'string', default: 'with,without' },
    times: { type: 'string', default: '100' },
    users: { type: 'string', default: '4' },
    engines: { type: 'string', default: 'Chromium,Firefox,WebKit' },
    endings: { type: 'string', default: pageEndings.join(',') },
    tabs: { type: 'string', default: '20,100' },
    'host-storms': { type: 'string', default: '5' },
    modes: { type: 'string', default: 'host,host-in-shared-worker,start' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  },
})

const numberOf = (name: keyof typeof values, most: number): number => {
  const number = Number(values[name])
  if (number >= 0 && number <= most) return number
  throw new Error(`"--${name}" must be a number from 0 to ${most}; got ${values[name]}.`)
}
const minutes = numberOf('minutes', 120)
const storms = numberOf('storms', 10_000)
const kills = numberOf('kills', 10_000)
const processMinutes = numberOf('process-minutes', 120)
const fleetSeconds = numberOf('fleet-seconds', 3600)
const fleetProcesses = numberOf('fleet-processes', 200)
const fleetSessions = numberOf('fleet-sessions', 10_000)
const slowMinutes = numberOf('slow-minutes', 120)
const slowTabCount = numberOf('slow-tabs', 100)
const times = numberOf('times', 1000)
const users = numberOf('users', 20)
const seed = numberOf('seed', 2 ** 32)

/** One row of the table. */
interface Row {
  readonly what: string
  readonly calls: number
  readonly 'not 200': string
  readonly 'token requests': number
  readonly allowed: number
  readonly replays: number
  readonly refused: number
  readonly 'sessions ended': number
  readonly 'slowest ms': number | string
  readonly seconds: number
}

const rows: Row[] = []
const slowRows: SlowTabsRow[] = []
const violations: string[] = []

interface Found {
  readonly outcomes: Record<string, number>
  /** The number of token requests that may succeed. */
  readonly allowed: number
  readonly ended?: number
  readonly slowestMs?: number
}

const add = (into: Record<string, number>, tallies: readonly Record<string, number>[]) => {
  for (const [outcome, times] of tallies.flatMap(tally => Object.entries(tally))) {
    into[outcome] = (into[outcome] ?? 0) + times
  }
}

async function main(): Promise<void> {
  const pages = await startE2ePages()
  const browser = await launchE2eBrowser()
  const stage: Stage = { servers: pages.servers, pages }

  const run = async (what: string, work: (profile: Profile) => Promise<Found>) => {
    process.stdout.write(`${what}\n`)
    const profile = await browser.newProfile()
    const from = performance.now()
    try {
      const { outcomes, allowed, ended = 0, slowestMs = '' } = await work(profile)
      const { servers } = stage
      const answered = servers.refreshes().filter(({ faulty, status }) => !faulty && status) // one may be in progress
      const bad = Object.entries(outcomes).filter(([outcome]) => outcome !== '200')
      const row: Row = {
        what,
        calls: Object.values(outcomes).reduce((sum, times) => sum + times, 0),
        'not 200': bad.map(([outcome, times]) => `${times} × ${outcome}`).join(', '),
        'token requests': answered.length,
        allowed,
        replays: servers.replays().length,
        refused: answered.filter(({ status }) => status !== 200).length,
        'sessions ended': ended,
        'slowest ms': slowestMs,
        seconds: Math.round((performance.now() - from) / 1000),
      }
      rows.push(row)
      if (row['not 200'] || row.replays || row.refused || ended || answered.length > allowed) {
        violations.push(what)
      }
    } catch (error) {
      violations.push(`${what}: ${error instanceof Error ? error.stack : error}`)
    } finally {
      stage.servers.fault(undefined)
      await profile.close()
      stage.servers.forget()
    }
  }

  try {
    if (minutes) await run(`8 tabs for ${minutes} min`, eightTabs)
    if (storms) await run(`${storms} storms of 5 tabs × 20 calls`, manyStorms)
    if (kills) await run(`${kills} renderers killed in mid-refresh`, manyKills)
    await run('a lock that is never let go', frozenHolder)
  } finally {
    await browser.close()
    await pages.close()
  }

  async function eightTabs(profile: Profile): Promise<Found> {
    const tabs = await signedInTabs(stage, profile, 8, 5)
    stage.servers.delay(() => 50 + Math.random() * 1450)
    const options = { forMs: minutes * 60_000, callEveryMs: 200, reloadEveryMs: 10_000 }
    const { outcomes, slowestMs, ended, tookMs } = await traffic(stage, tabs, options)
    // a refresh starts four seconds after the previous one
    return { outcomes, slowestMs, ended: ended.length, allowed: Math.ceil(tookMs / 4000) + 1 }
  }

  async function manyStorms(profile: Profile): Promise<Found> {
    const outcomes: Record<string, number> = {}
    const tabs = await signedInTabs(stage, profile, 5, 3)
    for (let round = 0; round < storms; round++) {
      add(outcomes, await storm(stage, tabs, round === 0 ? 'expired' : 'revoked'))
    }
    return { outcomes, allowed: storms }
  }

  async function manyKills(profile: Profile): Promise<Found> {
    const outcomes: Record<string, number> = {}
    const { servers } = stage
    const [survivor] = (await signedInTabs(stage, profile, 1)) as [Tab]
    for (let round = 0; round < kills; round++) {
      const dying = await profile.newTab(stage.pages.appUrl)
      await untilStatus(dying, 'signed-in')
      await servers.revokeAccessTokensOf('alice')
      const before = servers.refreshes().length
      servers.fault('hang')
      await dying.run(() => void window.app.call())
      await until('the token request has arrived', () => servers.refreshes().length > before)
      await dying.crash()
      await until('the server has noticed', () => servers.refreshes()[before]?.status === 0)
      servers.fault(undefined)
      add(outcomes, [await survivor.run(() => window.app.calls(5))])
    }
    return { outcomes, allowed: kills, ended: (await statusOf(survivor)) === 'signed-in' ? 0 : 1 }
  }

  async function frozenHolder(profile: Profile): Promise<Found> {
    const [holder, caller] = (await signedInTabs(stage, profile, 2, 1)) as [Tab, Tab]
    const letGo = await holdLock(stage, holder)
    await untilExpired(caller)
    stage.servers.issueFor(3600)
    const { outcome, tookMs } = await timedCall(caller)
    if (tookMs > 17_000) throw new Error(`The call waited ${Math.round(tookMs)} ms.`)
    await letGo()
    return { outcomes: { [outcome]: 1 }, allowed: 1, slowestMs: Math.round(tookMs) }
  }
}

async function slow(): Promise<void> {
  const wanted = values['slow-engines'].split(',')
  const found = findEngines().filter(({ name }) => wanted.includes(name))
  const missing = wanted.filter(name => !found.some(engine => engine.name === name))
  if (missing.length) violations.push(`${missing.join(' and ')}: not on this machine`)
  const random = createRandom(seed)
  for (const engine of found) {
    for (const webLocks of [true, false].filter(on =>
      values['slow-locks'].split(',').includes(on ? 'with' : 'without'),
    )) {
      const what = `${slowTabCount} tabs in ${engine.name}, ${webLocks ? 'with' : 'without'} Web Locks, slow server, ${slowMinutes} min`
      process.stdout.write(`${what}\n`)
      try {
        const options = { engine, tabs: slowTabCount, minutes: slowMinutes, webLocks }
        const { row, isClean } = await slowTabs({ ...options, random: random.next })
        slowRows.push(row)
        process.stdout.write(`${JSON.stringify(row)}\n`)
        if (!isClean) violations.push(what)
      } catch (error) {
        violations.push(`${what}: ${error instanceof Error ? error.stack : error}`)
      }
    }
  }
}

async function processes(): Promise<void> {
  for (const namespaces of mayMakePidNamespaces() ? [false, true] : [false]) {
    const what = `ten processes over one file${namespaces ? ' in two PID namespaces' : ''}, ${processMinutes} min`
    process.stdout.write(`${what}\n`)
    const random = createRandom(seed)
    const report = await processStorm({ seconds: processMinutes * 60, random, namespaces, longStops: true })
    const { outcomes, ...row } = report
    console.table([row])
    console.table([outcomes])
    if (!isClean(report)) violations.push(what)
  }
}

async function fleet(): Promise<void> {
  const size = { processes: fleetProcesses, sessions: fleetSessions, seconds: fleetSeconds }
  const what = `${size.processes} processes × ${size.sessions} sessions over Redis, ${size.seconds} s`
  process.stdout.write(`${what}\n`)
  if (!(await runFleet(createRandom(seed), size))) violations.push(what)
}

async function pagesEnd(): Promise<PageEndsRow[]> {
  const found: PageEndsRow[] = []
  const random = createRandom(seed)
  const engines = findEngines().filter(({ name }) => values.engines.split(',').includes(name))
  const wanted = pageEndings.filter(ending => values.endings.split(',').includes(ending))
  const modes = (['host', 'host-in-shared-worker', 'start'] as const).filter(mode =>
    values.modes.split(',').includes(mode),
  )
  for (const engine of engines) {
    const isChromium = engine.name === 'Chromium'
    for (const ending of wanted.filter(one => isChromium || endingsOfEveryEngine.includes(one))) {
      // only Chromium has both
      for (const mode of modes.filter(one => isChromium || one !== 'host-in-shared-worker')) {
        const what = `${engine.name}, ${mode}: page ${ending}`
        try {
          const { row, isClean } = await pageEnds({ engine, mode, ending, times, users, random })
          found.push(row)
          process.stdout.write(`${JSON.stringify(row)}\n`)
          if (!isClean) violations.push(what)
        } catch (error) {
          violations.push(`${what}: ${error instanceof Error ? error.stack : error}`)
        }
      }
    }
  }
  return found
}

async function stormsWithHosts(): Promise<HostStormsRow[]> {
  const found: HostStormsRow[] = []
  for (const count of values.tabs.split(',').map(Number)) {
    for (const mode of (['host', 'host-in-shared-worker'] as const).filter(one =>
      values.modes.split(',').includes(one),
    )) {
      const { row, isClean } = await hostStorms(mode, count, numberOf('host-storms', 1000))
      found.push(row)
      process.stdout.write(`${JSON.stringify(row)}\n`)
      if (!isClean) violations.push(`${count} tabs, ${mode}`)
    }
  }
  return found
}

const run = positionals[0] ?? 'storms'
process.stdout.write(`seed ${seed}\n`)
if (run === 'storms') {
  if (minutes || storms || kills) await main()
  if (slowMinutes) await slow()
  if (processMinutes) await processes()
  if (fleetSeconds) await fleet()
} else if (run === 'page-ends') {
  console.table(await pagesEnd())
} else if (run === 'host-storms') {
  console.table(await stormsWithHosts())
} else throw new Error(`There is no soak "${run}": leave it out, or use "page-ends" or "host-storms".`)
if (rows.length) console.table(rows)
if (slowRows.length) console.table(slowRows)
for (const violation of violations) process.stderr.write(`VIOLATION: ${violation}\n`)
process.exitCode = violations.length > 0 ? 1 : 0
