import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { getResponse } from 'msw'
import type { UserAgent } from '../../src/core/ports.ts'
import { createClient, file } from '../../src/node.ts'
import { deviceClock } from '../../src/platform/device.ts'
import type { Random } from '../simulation/scheduler.ts'
import { inPidNamespace } from '../support/pid-namespace.ts'
import { createStrictAs } from '../support/strict-as.ts'
import { startTerminal, type Terminal, type TerminalNews } from '../support/terminals.ts'
import { createRedemptionJudge, type Loss, type Sender } from './redemption-judge.ts'

const PROCESSES = 10
/** Lifetime of the access tokens, and so roughly the interval of each process's refreshes. */
const LIFETIME_SECONDS = 3
/** The token endpoint's response time: from, to. */
const LATENCY_MS = [20, 400] as const
/** Longer than the maximum wait for a lock holder. */
const LONG_STOP_MS = 17_000

export interface ProcessStormOptions {
  readonly seconds: number
  /** On a slow machine the storm lasts longer, until there were so many refreshes, but at most five times as long. */
  readonly leastRefreshes?: number
  readonly random: Random
  /** In two PID namespaces with one host name. */
  readonly namespaces: boolean
  /** Some processes are stopped for longer than the maximum wait for a lock holder. */
  readonly longStops: boolean
  /** Receives a log line for each event, to find the cause of a loss. */
  readonly log?: ((line: string) => void) | undefined
}

export interface ProcessStormReport {
  readonly calls: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly refreshes: number
  readonly killed: number
  readonly stopped: number
  /** Sessions that were lost although the response had been stored. */
  readonly lostThoughStored: number
  /** Sessions that were lost because two running processes sent one refresh token. */
  readonly lostByTwo: number
  /**
   * Sessions that were lost with a response that its process could not store, because it died or was stopped: see `Loss`.
   */
  readonly lostWithAnswer: number
  /** Processes whose calls never succeeded after all faults had stopped. */
  readonly stuck: number
  readonly slowestMs: number
}

interface Process extends Sender {
  readonly terminal: Terminal
  readonly calls: { outcome: number | string; ms: number }[]
  state: 'awake' | 'stopped' | 'dead'
  /** How long it has been stopped since it started to send its last token request. */
  stoppedMs: number
  stoppedAt: number
}

const counterOf = {
  'though-stored': 'lostThoughStored',
  'by-two': 'lostByTwo',
  'with-answer': 'lostWithAnswer',
} as const satisfies Record<Loss, keyof ProcessStormReport>

/** Token numbers, for the log. */
const numbered = (text: string) => text.replace(/\b((?:access|refresh)-\d+)-[\w-]+/g, '$1')

/** The process that a command has started, by its PID in this namespace. */
function innerPid(pid: number): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
  return child ? Number(child) : undefined
}

/** Two PID namespaces, each kept alive by a sleeping process. @returns functions that start a command in one of them. */
async function makeNamespaces() {
  const keepers: ChildProcess[] = []
  const commands: string[][] = []
  for (let count = 0; count < 2; count++) {
    const [command, ...args] = inPidNamespace
    const keeper = spawn(command, [...args, 'sleep', 'infinity'], { stdio: 'ignore' })
    keepers.push(keeper)
    let inner: number | undefined
    // the command creates a process for the namespace, which then becomes the sleeping one
    while (!inner || !readFileSync(`/proc/${inner}/cmdline`, 'utf8').startsWith('sleep')) {
      await wait(10)
      inner = innerPid(keeper.pid as number)
    }
    commands.push(['nsenter', '--target', String(inner), '--pid', '--mount'])
  }
  const close = async () => {
    const ends = keepers.map(keeper => once(keeper, 'exit'))
    for (const keeper of keepers) keeper.kill('SIGKILL')
    await Promise.all(ends)
  }
  return { commands, close }
}

/** Ten processes over one file, killed and stopped at random, with a server without a grace period. */
export async function processStorm(options: ProcessStormOptions): Promise<ProcessStormReport> {
  const { random, longStops } = options
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-storm-'))
  const path = join(folder, 'tokens.json')
  const report = {
    killed: 0,
    stopped: 0,
    lostThoughStored: 0,
    lostByTwo: 0,
    lostWithAnswer: 0,
  }
  const all = new Map<string, Process>()
  const judge = createRedemptionJudge(() => performance.now())
  let isLost = false
  const log = (line: string, at = Date.now()) => options.log?.(`${at} ${line}`)

  const textOfFile = () => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return ''
    }
  }
  const note = () => judge.stored(textOfFile())
  let answering: Promise<unknown> = Promise.resolve()
  /** Handles requests one after the other, so that a reuse can be attributed to its request. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = answering.then(work)
    answering = done.catch(() => {})
    return done
  }

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const url = `${origin}${request.url}`
    if (request.url === '/api') {
      const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
      const isGood = as.introspect(token) !== undefined
      if (!isGood) log(`server: 401 for ${numbered(token)}`)
      response.writeHead(isGood ? 200 : 401).end()
      return
    }
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value))
    const sent = new URLSearchParams(body).get('refresh_token')
    const by = String(request.headers['x-terminal'])
    const sender = all.get(by)
    if (sent && sender) {
      note()
      const hangUp = judge.arrived(sent, sender)
      response.once('close', () => response.writableFinished || hangUp())
      log(`server: ${by} sends ${numbered(sent)}`)
      await wait(random.between(...LATENCY_MS))
    }
    const asked = new Request(url, {
      method: request.method ?? 'GET',
      headers,
      ...(body && { body }),
    })
    const answer = await inTurn(async () => {
      const before = as.reuses
      const response = await getResponse(as.handlers, asked)
      if (sent && as.reuses > before) {
        const loss = judge.lossOf(sent)
        report[counterOf[loss]]++
        isLost = true
        log(`judge: lost ${loss} by ${numbered(sent)}`)
      }
      return response
    })
    const text = (await answer?.text()) ?? ''
    if (sent) {
      const { refresh_token: next, error } = JSON.parse(text) as { refresh_token?: string; error?: string }
      if (next) judge.redeemed(sent, next)
      log(`server: answers ${by} for ${numbered(sent)}: ${error ?? numbered(String(next))}`)
    }
    response
      .writeHead(answer?.status ?? 404, {
        'content-type': answer?.headers.get('content-type') ?? 'text/plain',
      })
      .end(text)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const as = createStrictAs({
    issuer: origin,
    clientId: 'demo-cli',
    redirectUri: 'http://127.0.0.1/callback',
    clock: deviceClock,
    accessTokenSeconds: LIFETIME_SECONDS,
  })

  const user: UserAgent = {
    name: 'storm',
    begin: redirectUri => ({ redirectUri, authorize: async url => as.approve(url), close() {} }),
  }
  const signIn = async () => {
    const client = createClient({
      issuer: origin,
      clientId: 'demo-cli',
      scope: 'openid offline_access notes:read',
      allowedOrigins: [origin],
      store: file(path),
      userAgent: user,
    })
    try {
      await client.signIn()
    } finally {
      client.dispose()
    }
  }

  const spaces = options.namespaces ? await makeNamespaces() : undefined
  let begun = 0
  const begin = () => {
    const name = String(++begun)
    const config = {
      issuer: origin,
      apiUrl: `${origin}/api`,
      path,
      diskMs: [0, 20],
      pauseMs: [50, 200],
      name,
      isWatched: options.log !== undefined,
    } as const
    const hear = (news: TerminalNews) => {
      if (news.type === 'note') log(`${name}: ${news.text}`, news.at)
      if (news.type === 'call') log(`${name}: call ${news.outcome} ${news.ms}`)
      if (news.type === 'call') one.calls.push(news)
      if (news.type === 'asks') one.stoppedMs = 0
    }
    const within = spaces?.commands[begun % 2] ?? []
    const terminal = startTerminal(config, () => true, hear, within)
    const one: Process = {
      name,
      terminal,
      calls: [],
      state: 'awake',
      stoppedMs: 0,
      stoppedAt: 0,
      get isDead() {
        return one.state === 'dead'
      },
    }
    all.set(name, one)
  }
  const living = () => [...all.values()].filter(({ state }) => state !== 'dead')

  const signal = ({ terminal }: Process, what: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT') => {
    const inner = spaces && innerPid(terminal.pid)
    if (inner) process.kill(inner, what)
    // the command stops together with its children
    if (!spaces || what === 'SIGCONT') process.kill(terminal.pid, what)
  }
  const kill = async (one: Process) => {
    if (one.state === 'stopped' && spaces) signal(one, 'SIGCONT')
    one.state = 'dead'
    log(`judge: kills ${one.name} (${one.terminal.phase})`)
    signal(one, 'SIGKILL')
    await one.terminal.kill()
    note()
  }
  const goOn = (one: Process) => {
    if (one.state !== 'stopped') return
    one.stoppedMs += performance.now() - one.stoppedAt
    one.state = 'awake'
    log(`judge: lets ${one.name} go on`)
    signal(one, 'SIGCONT')
  }
  const pauses = new Set<Promise<void>>()
  const stop = (one: Process, ms: number) => {
    one.state = 'stopped'
    one.stoppedAt = performance.now()
    log(`judge: stops ${one.name} for ${ms} ms (${one.terminal.phase})`)
    signal(one, 'SIGSTOP')
    const pause = wait(ms).then(() => goOn(one))
    pauses.add(pause)
    void pause.finally(() => pauses.delete(pause))
  }
  const isStarted = ({ calls }: Process) => calls.length > 0

  /** A process that accepts the end of its lost session signs in again, like a restarted program. */
  const goOnAfterLoss = async () => {
    isLost = false
    await signIn()
    const from = new Map(living().map(one => [one, one.calls.length]))
    await wait(1000)
    for (const [one, before] of from) {
      const since = one.calls.slice(before)
      if (one.state !== 'awake' || !since.length || since.some(({ outcome }) => outcome === 200)) continue
      await kill(one)
      begin()
    }
  }

  let stuck = 0
  try {
    await signIn()
    for (let count = 0; count < PROCESSES; count++) begin()
    while (!living().every(isStarted)) await wait(50)
    const begunAt = performance.now()
    const isOver = () => {
      const seconds = (performance.now() - begunAt) / 1000
      const isShort = judge.count < (options.leastRefreshes ?? 0)
      return seconds > options.seconds * (isShort ? 5 : 1)
    }
    while (!isOver()) {
      await wait(random.between(20, 300))
      const awake = living().filter(one => one.state === 'awake' && isStarted(one))
      // every second time, a process in the middle of a refresh is picked
      const busy = awake.filter(({ terminal }) => terminal.phase === 'holds')
      const from = busy.length > 0 && random.chance(0.5) ? busy : awake
      if (isLost) await goOnAfterLoss()
      else if (from.length > 0 && awake.length > PROCESSES / 2) {
        const one = random.pick(from)
        if (random.chance(0.35)) {
          report.killed++
          await kill(one)
          begin()
        } else {
          report.stopped++
          stop(
            one,
            longStops && random.chance(0.08) ? LONG_STOP_MS : random.between(20, longStops ? 2500 : 1500),
          )
        }
      }
    }
    for (const one of living()) goOn(one)
    await Promise.all(pauses)

    // after all faults have stopped, each process must make a successful call
    const marks = new Map<Process, number>()
    const isWell = (one: Process) =>
      one.calls.slice(marks.get(one) ?? 0).some(({ outcome }) => outcome === 200)
    const quietUntil = performance.now() + 45_000
    for (const one of living()) marks.set(one, one.calls.length)
    while (performance.now() < quietUntil && !living().every(isWell)) {
      if (isLost) {
        await goOnAfterLoss()
        for (const one of living()) if (!marks.has(one)) marks.set(one, 0)
      }
      await wait(50)
    }
    stuck = living().filter(one => !isWell(one)).length
  } finally {
    await Promise.all(living().map(kill))
    await spaces?.close()
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }

  const calls = [...all.values()].flatMap(one => one.calls)
  const outcomes: Record<string, number> = {}
  for (const { outcome } of calls) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  return {
    ...report,
    calls: calls.length,
    outcomes,
    refreshes: judge.count,
    stuck,
    slowestMs: Math.max(0, ...calls.map(({ ms }) => ms)),
  }
}

/** Outcomes that must never happen. */
export const isClean = ({ lostThoughStored, lostByTwo, stuck }: ProcessStormReport): boolean =>
  lostThoughStored + lostByTwo + stuck === 0
