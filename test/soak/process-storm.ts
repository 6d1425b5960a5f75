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
import { bundleTerminal, startTerminal, type Terminal, type TerminalNews } from '../support/terminals.ts'

const PROCESSES = 10
/** Of the access tokens: every process would refresh about as often. */
const LIFETIME_SECONDS = 3
/** The token endpoint answers after so long: from, to. */
const LATENCY_MS = [20, 400] as const
/** Longer than a holder is waited for. */
const LONG_STOP_MS = 17_000
/** A token request that is stopped for so long may be given up when its process goes on: after 8 s. */
const GIVEN_UP_MS = 6000

export interface ProcessStormOptions {
  readonly seconds: number
  readonly random: Random
  /** In two PID namespaces, on one host name. */
  readonly namespaces: boolean
  /** Some are stopped for longer than a holder is waited for. */
  readonly longStops: boolean
}

export interface ProcessStormReport {
  readonly calls: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly refreshes: number
  readonly killed: number
  readonly stopped: number
  /** Sessions that were lost although the answer had been stored. */
  readonly lostThoughStored: number
  /** Sessions that were lost because two who were awake sent one refresh token. */
  readonly lostByTwo: number
  /** Sessions that were lost with an answer that its process did not live, or was not let, to store. */
  readonly lostWithAnswer: number
  /** Processes that did not come to a call that is answered with 200, when all was quiet again. */
  readonly stuck: number
  readonly slowestMs: number
}

/** One refresh token, as it was first sent. */
interface Redemption {
  readonly by: string
  /** The refresh token of the answer. */
  next: string | undefined
  isStored: boolean
}

interface Process {
  readonly name: string
  readonly terminal: Terminal
  readonly calls: { outcome: number | string; ms: number }[]
  state: 'awake' | 'stopped' | 'dead'
  /** Of the token request under way: how long it has been stopped in it. */
  stoppedMs: number
  stoppedAt: number
}

/** The process that a command has started in its place, as this namespace counts. */
function innerPid(pid: number): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
  return child ? Number(child) : undefined
}

/** Two PID namespaces, each kept by a process that sleeps. @returns what starts a command in one of them. */
async function makeNamespaces() {
  const keepers: ChildProcess[] = []
  const commands: string[][] = []
  for (let count = 0; count < 2; count++) {
    const [command, ...args] = inPidNamespace
    const keeper = spawn(command, [...args, 'sleep', 'infinity'], { stdio: 'ignore' })
    keepers.push(keeper)
    let inner: number | undefined
    // the command makes a process for the namespace, which then becomes the one that sleeps
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

/** Ten processes over one file, killed and stopped at random, at a server without a grace period. */
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
  const redemptions = new Map<string, Redemption>()
  let isLost = false

  const textOfFile = () => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return ''
    }
  }
  /** What stands in the file is stored, whoever did not live to tell. */
  const note = () => {
    const text = textOfFile()
    for (const redemption of redemptions.values()) {
      if (!redemption.isStored && redemption.next && text.includes(redemption.next))
        redemption.isStored = true
    }
  }
  const judgeLoss = ({ by, isStored }: Redemption) => {
    const first = all.get(by)
    if (isStored) report.lostThoughStored++
    else if (!first || first.state === 'dead' || first.state === 'stopped' || first.stoppedMs > GIVEN_UP_MS) {
      report.lostWithAnswer++
    } else report.lostByTwo++
    isLost = true
  }

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const url = `${origin}${request.url}`
    if (request.url === '/api') {
      const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
      response.writeHead(as.introspect(token) ? 200 : 401).end()
      return
    }
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value))
    const sent = new URLSearchParams(body).get('refresh_token')
    if (sent) await wait(random.between(...LATENCY_MS))
    const before = as.reuses
    note()
    const asked = new Request(url, {
      method: request.method ?? 'GET',
      headers,
      ...(body && { body }),
    })
    const answer = await getResponse(as.handlers, asked)
    const text = (await answer?.text()) ?? ''
    if (sent) {
      const known = redemptions.get(sent)
      if (known && as.reuses > before) judgeLoss(known)
      else if (!known) {
        const { refresh_token: next } = JSON.parse(text) as { refresh_token?: string }
        redemptions.set(sent, { by: String(request.headers['x-terminal']), next, isStored: false })
      }
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

  const script = await bundleTerminal(folder)
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
    } as const
    const hear = (news: TerminalNews) => {
      if (news.type === 'call') one.calls.push(news)
      if (news.type === 'asks') one.stoppedMs = 0
    }
    const within = spaces?.commands[begun % 2] ?? []
    const terminal = startTerminal(script, config, () => true, hear, within)
    const one: Process = { name, terminal, calls: [], state: 'awake', stoppedMs: 0, stoppedAt: 0 }
    all.set(name, one)
  }
  const living = () => [...all.values()].filter(({ state }) => state !== 'dead')

  const signal = ({ terminal }: Process, what: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT') => {
    const inner = spaces && innerPid(terminal.pid)
    if (inner) process.kill(inner, what)
    // the command stops with what it has started
    if (!spaces || what === 'SIGCONT') process.kill(terminal.pid, what)
  }
  const kill = async (one: Process) => {
    if (one.state === 'stopped' && spaces) signal(one, 'SIGCONT')
    one.state = 'dead'
    signal(one, 'SIGKILL')
    await one.terminal.kill()
    note()
  }
  const goOn = (one: Process) => {
    if (one.state !== 'stopped') return
    one.stoppedMs += performance.now() - one.stoppedAt
    one.state = 'awake'
    signal(one, 'SIGCONT')
  }
  const pauses = new Set<Promise<void>>()
  const stop = (one: Process, ms: number) => {
    one.state = 'stopped'
    one.stoppedAt = performance.now()
    signal(one, 'SIGSTOP')
    const pause = wait(ms).then(() => goOn(one))
    pauses.add(pause)
    void pause.finally(() => pauses.delete(pause))
  }
  const isStarted = ({ calls }: Process) => calls.length > 0

  /** Whoever believes in the end of the session that was lost begins anew, as a program that is started again. */
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
    const until = performance.now() + options.seconds * 1000
    while (performance.now() < until) {
      await wait(random.between(20, 300))
      const awake = living().filter(one => one.state === 'awake' && isStarted(one))
      // those in a refresh are sought: one in two
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

    // all is quiet: each comes to a call that is answered
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
    refreshes: redemptions.size,
    stuck,
    slowestMs: Math.max(0, ...calls.map(({ ms }) => ms)),
  }
}

/** What must never be. */
export const isClean = ({ lostThoughStored, lostByTwo, stuck }: ProcessStormReport): boolean =>
  lostThoughStored + lostByTwo + stuck === 0
