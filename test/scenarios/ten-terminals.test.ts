import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, onTestFailed, test } from 'vitest'
import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import { createClient, file, loopback } from '../../src/node.ts'
import { createRandom } from '../simulation/scheduler.ts'
import { startTestServers, type TestServers } from '../support/server.ts'
import { tempFolders } from '../support/temp-folder.ts'
import { type Phase, startTerminal, type Terminal } from '../support/terminals.ts'

const TERMINALS = 10
const KILLS = 30
const KILL_EVERY_MS = 500
const SAMPLE_EVERY_MS = 4
const LATENCY_MS = 300
/** oidc-provider counts in whole seconds: these tokens last more than two and at most three. */
const LIFETIME_SECONDS = 3

const tempFolder = tempFolders()
const started: Terminal[] = []
let servers: TestServers

beforeAll(async () => {
  servers = await startTestServers('http://127.0.0.1:1', 'http://127.0.0.1:2')
})
afterEach(() => Promise.all(started.splice(0).map(terminal => terminal.kill())))
afterAll(() => servers?.close())

/** Signs in with the user's browser, as the first terminal would. */
async function signIn(path: string) {
  const client = createClient({
    issuer: servers.issuer,
    clientId: 'demo-cli',
    scope: 'openid offline_access notes:read',
    allowedOrigins: [new URL(servers.apiUrl).origin],
    store: file(path),
    userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
  })
  await client.signIn()
  client.dispose()
}

/** Reads the file repeatedly. @returns a function that stops it and returns the problems it saw. */
function sample(path: string) {
  const wrong = new Set<string>()
  let times = 0
  const timer = setInterval(() => {
    times++
    const handle = openSync(path, 'r')
    try {
      const mode = fstatSync(handle).mode & 0o777
      if (mode !== 0o600) wrong.add(`mode ${mode.toString(8)}`)
      JSON.parse(readFileSync(handle, 'utf8'))
    } catch (error) {
      wrong.add(String(error))
    } finally {
      closeSync(handle)
    }
  }, SAMPLE_EVERY_MS)
  return () => {
    clearInterval(timer)
    return { times, wrong: [...wrong] }
  }
}

test('ten terminals on one file survive the death of one every 500 ms, with one redemption per refresh token [RF06]', {
  timeout: 120_000,
}, async () => {
  const seed = Number(process.env.LATCHKEY_SEED) || Date.now() % 1_000_000
  const random = createRandom(seed)
  const trace: string[] = []
  onTestFailed(() => console.error(`LATCHKEY_SEED=${seed}\n${trace.join('\n')}`))

  const path = join(tempFolder(), 'tokens.json')
  servers.issueFor(LIFETIME_SECONDS)
  await signIn(path)
  let latencyMs = LATENCY_MS
  servers.delay(() => latencyMs)

  const config = {
    issuer: servers.issuer,
    apiUrl: servers.apiUrl,
    path,
    diskMs: [100, 200],
    pauseMs: [100, 300],
  } as const
  const killed: Terminal[] = []
  const alive: Terminal[] = []
  const deaths: Record<Phase, number> = { works: 0, waits: 0, holds: 0 }
  /** Makes the next terminal that has the lock and has marked what it will send die instead of sending it. */
  let isNextHolderDoomed = false

  const replace = (terminal: Terminal) => {
    deaths[terminal.phase]++
    trace.push(`${Math.round(performance.now())} ${terminal.pid} killed, ${terminal.phase}`)
    killed.push(terminal)
    alive.splice(alive.indexOf(terminal), 1)
    void terminal.kill()
    begin()
  }
  const ask = (terminal: Terminal) => {
    if (!isNextHolderDoomed) return true
    isNextHolderDoomed = false
    replace(terminal)
    return false
  }
  const begin = () => {
    const terminal = startTerminal(config, ask)
    started.push(terminal)
    alive.push(terminal)
  }

  for (let count = 0; count < TERMINALS; count++) begin()
  await expect.poll(() => alive.every(({ calls }) => calls.length > 0), { timeout: 30_000 }).toBe(true)
  const sampled = sample(path)
  for (let round = 0; round < KILLS; round++) {
    await wait(KILL_EVERY_MS)
    const idle = () => alive.filter(terminal => !terminal.isInTokenRequest)
    const waiting = () => idle().filter(({ phase }) => phase === 'waits')
    if (round % 3 === 0) isNextHolderDoomed = true
    else if (round % 6 === 1) {
      // the refresh takes longer than the token lasts, so the others start to wait for it
      latencyMs = LIFETIME_SECONDS * 1000
      await expect.poll(() => waiting().length, { interval: 5, timeout: 20_000 }).toBeGreaterThan(0)
      const doomed = waiting()
      if (doomed.length > 0) replace(random.pick(doomed))
      latencyMs = LATENCY_MS
    } else if (idle().length > 0) replace(random.pick(idle()))
  }
  isNextHolderDoomed = false
  // the last ones in the queue get their turn too
  await expect.poll(() => alive.every(({ calls }) => calls.length > 2), { timeout: 30_000 }).toBe(true)
  const exitCodes = await Promise.all(alive.map(terminal => terminal.stop()))
  const { times, wrong } = sampled()

  const calls = [...alive, ...killed].flatMap(terminal => terminal.calls)
  const refreshes = servers.refreshes().filter(({ faulty }) => !faulty)
  trace.push(
    `${calls.length} calls, slowest ${Math.max(...calls.map(({ ms }) => ms))} ms, ${refreshes.length} refreshes`,
    `${JSON.stringify(deaths)}, ${times} looks at the file`,
  )
  console.info(`LATCHKEY_SEED=${seed}\n${trace.slice(-2).join('\n')}`)
  expect(exitCodes).toEqual(alive.map(() => 0))
  expect(refreshes.filter(({ status }) => status !== 200)).toEqual([])
  expect(servers.replays()).toEqual([])
  expect(calls.filter(({ outcome }) => outcome !== 200)).toEqual([])
  expect(Math.max(...calls.map(({ ms }) => ms))).toBeLessThan(15_000)
  expect(wrong).toEqual([])
  expect(times).toBeGreaterThan(100)
  expect(refreshes.length).toBeGreaterThan(2)
  expect(Math.min(deaths.works, deaths.waits, deaths.holds)).toBeGreaterThan(0)
})
