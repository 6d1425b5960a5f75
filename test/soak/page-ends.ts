import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Random } from '../simulation/scheduler.ts'
import { type Stage, signedInTab, statusOf, storedRecords, until } from '../support/e2e.ts'
import { launchE2eBrowser, launchProfile, type Profile, type Tab } from '../support/e2e-browser.ts'
import { type AppMode, startE2ePages } from '../support/e2e-pages.ts'
import type { EngineProfile, EngineTab, FoundEngine } from '../support/engines/engine.ts'

/** How a page leaves, or is killed, during its refresh. */
export const pageEndings = [
  'closed',
  'reloaded',
  'left',
  'renderer killed',
  'renderer killed beside another',
  'browser killed',
] as const
export type PageEnding = (typeof pageEndings)[number]

/** The endings that a driver can cause in every engine. */
export const endingsOfEveryEngine: readonly PageEnding[] = ['closed', 'reloaded', 'left']

/** The server's response time for a refresh: from, to. */
const ANSWERS_MS = [500, 3000] as const
/** The page may end up to this long after the response. */
const AFTERWARDS_MS = 200
/** The longest time before the next page opens. */
const AWAY_MS = 4000

export interface PageEndsOptions {
  readonly engine: FoundEngine
  readonly mode: AppMode
  readonly ending: PageEnding
  readonly times: number
  /** The number of simultaneous users, each with their own pages. */
  readonly users: number
  readonly random: Random
}

/** One row of the table. */
export interface PageEndsRow {
  readonly engine: string
  readonly host: string
  readonly page: PageEnding
  readonly times: number
  /**
   * When the page ended: before its request had arrived, before the server had processed it, before the response, before the
   * response was on disk (known only if the browser was killed), or later.
   */
  readonly 'ended before request/work/answer/write/later': string
  /** Lost sessions, by the same moments. */
  readonly lost: string
  /** The latest of those after the response. */
  readonly 'latest lost, ms after the answer': number | ''
  readonly 'other outcomes': string
  readonly seconds: number
}

const moments = [
  'before its request',
  'before the work',
  'before the answer',
  'before the write',
  'later',
] as const
type Moment = (typeof moments)[number]

/** One refresh at the server. Times are of `performance.now()`. */
interface Plan {
  readonly workMs: number
  readonly answerMs: number
  arrivedAt?: number
  workedAt?: number
  answeredAt?: number
  /** The refresh token in the response. */
  next?: string
}

interface Seen {
  readonly moment: Moment
  readonly isLost: boolean
  readonly afterMs: number | undefined
  readonly outcome: string
}

/** What each mode with a worker is called in the tables. */
export const hostNames: Partial<Record<AppMode, string>> = {
  host: 'service worker',
  'host-in-shared-worker': 'SharedWorker',
}

const momentOf = ({ arrivedAt, workedAt, answeredAt }: Plan, endedAt: number, isWritten: boolean): Moment => {
  const passed = [arrivedAt, workedAt, answeredAt].filter(at => at !== undefined && at <= endedAt)
  return moments[passed.length === 3 && isWritten ? 4 : passed.length] as Moment
}

/** Whether a database file in this profile contains it. What a browser has written survives its process. */
const isOnDisk = (folder: string, text: string): boolean =>
  readdirSync(join(folder, 'Default', 'IndexedDB'), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .some(({ parentPath, name }) => readFileSync(join(parentPath, name)).includes(text))

/** The browser process that uses this profile. */
const pidOf = (folder: string): number =>
  Number(readlinkSync(join(folder, 'SingletonLock')).split('-').at(-1))

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** A user with pages, and how those pages end. */
interface User {
  readonly profile: { newTab(url?: string): Promise<EngineTab> }
  /** Ends the page. @returns where the next one is. */
  end(tab: EngineTab): Promise<() => Promise<EngineTab>>
  /** Whether this refresh token is stored. After a browser has ended, only a profile on disk can be checked. */
  isStored?(refreshToken: string): boolean
  close(): Promise<void>
}

const leaving = (profile: EngineProfile, ending: PageEnding, url: string): User => ({
  profile,
  async end(tab) {
    if (ending === 'reloaded') {
      await tab.reload()
      return async () => tab
    }
    if (ending === 'left') {
      await tab.goto('about:blank')
      return async () => {
        await tab.goto(url)
        return tab
      }
    }
    if (ending === 'closed') await tab.close()
    else await (tab as Tab).crash()
    return () => profile.newTab(url)
  },
  close: () => profile.close(),
})

/** A separate browser, which is killed as a whole. */
async function killedBrowser(url: string): Promise<User> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-page-ends-'))
  let profile: Profile = await launchProfile(folder)
  return {
    profile: { newTab: address => profile.newTab(address) },
    async end() {
      const pid = pidOf(folder)
      process.kill(pid, 'SIGKILL')
      await until('the browser is gone', () => !isRunning(pid))
      return async () => {
        await profile.close()
        profile = await launchProfile(folder)
        return profile.newTab(url)
      }
    },
    isStored: refreshToken => isOnDisk(folder, refreshToken),
    async close() {
      await profile.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/**
 * Ends pages at random moments of a refresh. The server processes requests even if their sender has left, and then treats
 * the old refresh token as stolen.
 */
export async function pageEnds(options: PageEndsOptions): Promise<{ row: PageEndsRow; isClean: boolean }> {
  const { engine, mode, ending, times, users, random } = options
  const from = performance.now()
  const pages = await startE2ePages()
  const stage: Stage = { servers: pages.servers, pages }
  pages.setMode(mode)
  const plans = new Map<string, Plan>()
  pages.servers.answerRefreshes(async (refreshToken, response, redeem) => {
    const plan = plans.get(refreshToken)
    if (plan && !plan.arrivedAt) {
      plan.arrivedAt = performance.now()
      await wait(plan.workMs)
    }
    const { status, headers, body } = await redeem()
    if (plan && !plan.workedAt) {
      plan.workedAt = performance.now()
      plan.next = status === 200 ? JSON.parse(body).refresh_token : undefined
      await wait(plan.answerMs - plan.workMs)
    }
    if (!response.destroyed) response.writeHead(status, headers).end(body)
    if (plan) plan.answeredAt ??= performance.now()
  })

  const seen: Seen[] = []
  const isKilled = ending === 'browser killed'
  const isChromium = engine.name === 'Chromium'
  const browser = isChromium && !isKilled ? await launchE2eBrowser() : undefined
  let left = times

  const once = async (user: User, name: string, tab: EngineTab): Promise<EngineTab> => {
    const [record] = await storedRecords(tab)
    const { refreshToken = '' } = record?.tokens ?? {}
    if (user.isStored?.(refreshToken) === false) throw new Error('A stored session is not found on disk.')
    const answerMs = random.between(...ANSWERS_MS)
    const plan: Plan = { workMs: random.between(0, answerMs), answerMs }
    const endMs = random.between(0, answerMs + AFTERWARDS_MS)
    const isFromArrival = random.chance(0.75)
    const awayMs = random.between(0, AWAY_MS)
    plans.set(refreshToken, plan)
    const beside = ending === 'renderer killed beside another' && (await user.profile.newTab(pages.appUrl))
    await pages.servers.revokeAccessTokensOf(name)
    await tab.run(() => void window.app.call())
    if (isFromArrival) await until('the token request has arrived', () => plan.arrivedAt !== undefined)
    await wait(endMs)
    const endedAt = performance.now()
    const open = await user.end(tab)
    const isWritten = !user.isStored || (plan.next !== undefined && user.isStored(plan.next))
    await wait(awayMs)
    const next = await open()
    await until('the next page has a session or none', async () =>
      ['signed-in', 'signed-out'].includes(await statusOf(next)),
    )
    const outcome = await next.run(() => window.app.call())
    const isLost = (await statusOf(next)) === 'signed-out'
    const { answeredAt } = plan
    const afterMs = answeredAt === undefined ? undefined : Math.round(endedAt - answeredAt)
    seen.push({ moment: momentOf(plan, endedAt, isWritten), isLost, afterMs, outcome: String(outcome) })
    if (beside) await beside.close()
    return next
  }

  const newUser = async (): Promise<User> => {
    if (isKilled) return killedBrowser(pages.appUrl)
    // with several users in one browser, whose windows open and close together, the other engines' drivers confuse the users
    const own = browser ? undefined : await engine.launch()
    const profile = await (browser ?? own)?.newProfile()
    if (!profile) throw new Error('There is no browser.')
    await profile.newTab() // a browser without any tab quits
    const user = leaving(profile, ending, pages.appUrl)
    return {
      ...user,
      async close() {
        await user.close()
        await own?.close()
      },
    }
  }

  const lane = async (number: number) => {
    const name = `user-${number}`
    let user: User | undefined
    let tab: EngineTab | undefined
    try {
      while (left-- > 0) {
        user ??= await newUser()
        tab = await once(user, name, tab ?? (await signedInTab(stage, user.profile, 3600, name)))
        if ((await statusOf(tab)) === 'signed-in') continue
        await user.close() // the server knows this user and would not ask for the name
        user = tab = undefined
      }
    } finally {
      await user?.close()
    }
  }

  try {
    await Promise.all(Array.from({ length: Math.min(users, times) }, (_, number) => lane(number)))
  } finally {
    await browser?.close()
    await pages.close()
  }

  const lost = seen.filter(({ isLost }) => isLost)
  const countsOf = (of: readonly Seen[]) =>
    moments.map(moment => of.filter(one => one.moment === moment).length).join(' / ')
  const late = lost.flatMap(({ afterMs = -1 }) => (afterMs >= 0 ? [afterMs] : []))
  const others = seen.filter(({ outcome, isLost }) => outcome !== '200' && !isLost)
  const row: PageEndsRow = {
    engine: engine.name,
    host: hostNames[mode] ?? 'none',
    page: ending,
    times: seen.length,
    'ended before request/work/answer/write/later': countsOf(seen),
    lost: lost.length ? `${lost.length}: ${countsOf(lost)}` : '0',
    'latest lost, ms after the answer': late.length ? Math.max(...late) : '',
    'other outcomes': others.map(({ outcome }) => outcome).join(', '),
    seconds: Math.round((performance.now() - from) / 1000),
  }
  // a response that a killed browser had not written yet is lost anyway; a written one must never be lost
  const mayBeLost = ({ moment }: Seen) => (isKilled ? moment !== 'later' : mode === 'start')
  return { row, isClean: others.length === 0 && lost.every(mayBeLost) }
}
