import { LockTimeoutError } from '../../src/errors.ts'
import { drawParameters, type Parameters, type Safeguard } from './parameters.ts'
import { type Client, RECORD } from './participant.ts'
import { createRandom } from './scheduler.ts'
import type { Invariant } from './watch.ts'
import { type Counts, createCounts, createWorld, type World } from './world.ts'

/** Backoff, `Retry-After`, leases and hanging calls have ended by then. */
const CALM_MS = 120_000
/** Within the grace period, in which the session must survive. */
const GENTLE_CALM_MS = 2000
/** The time in which all clients are made to read the store and must then match it. */
const AGREEMENT = { stepMs: 20, steps: 300, wakesEvery: 30 }
/** Longer than any call waits, with a margin. */
const LAST_CALL_MS = 60_000

/** A schedule that violated an invariant. */
export class Violation extends Error {
  override readonly name = 'Violation'
  readonly invariant: Invariant
  readonly seed: number
  constructor(invariant: Invariant, what: string, seed: number, world: World) {
    const trace = world.trace.slice(-300).join('\n')
    super(
      `${invariant}: ${what}\nseed ${seed}\nparameters ${JSON.stringify(world.parameters)}\n${trace}\n` +
        `${invariant}: ${what} (seed ${seed})`,
    )
    this.invariant = invariant
    this.seed = seed
  }
}

export interface ScheduleOptions {
  readonly counts?: Counts
  /** Safeguards that are removed. */
  readonly missing?: readonly Safeguard[]
  /** Invariants that may be violated. */
  readonly tolerates?: readonly Invariant[]
  /** Fixes some parameters. */
  readonly adjust?: (parameters: Parameters) => Parameters
}

/** Runs the schedule of one seed. @throws Violation */
export async function runSchedule(seed: number, options: ScheduleOptions = {}): Promise<World> {
  const { counts = createCounts(), missing = [], tolerates = [], adjust = same => same } = options
  const random = createRandom(seed)
  const parameters = adjust(drawParameters(random))
  const world = createWorld(parameters, random, counts, { missing, tolerates })
  const { watch, scheduler } = world

  const check = () => {
    watch.step()
    if (watch.violation) throw new Violation(watch.violation.invariant, watch.violation.what, seed, world)
  }
  const unhandled = (error: unknown) => watch.violate('no unhandled rejection', String(error))
  process.on('unhandledRejection', unhandled)
  try {
    begin(world)
    await scheduler.run(parameters.disturbedMs, check)
    world.calm()
    await scheduler.run(scheduler.now + (parameters.gentle ? GENTLE_CALM_MS : CALM_MS), check)
    await expectAgreement(world, check)
    watch.settled(world.clients)
    check()
  } finally {
    process.off('unhandledRejection', unhandled)
    counts.schedules++
    counts.steps += scheduler.steps
  }
  return world
}

/** Opens the contexts and starts all events of the faulty period. */
function begin(world: World): void {
  const { parameters, random, scheduler, server, counts, watch } = world
  const { contexts, lock, callGapMs, callerAborts } = parameters
  for (let index = 0; index < (lock === 'local' ? 1 : contexts); index++) world.open()

  const often = (gapMs: number, what: (client: Client) => void) => {
    const next = () => {
      if (!world.disturbed) return
      const client = world.clients.length > 0 ? random.pick(world.clients) : undefined
      client?.realm.later(0, 'call', () => what(client))
      scheduler.after(random.between(0, 2 * gapMs), next)
    }
    scheduler.after(random.between(200, 200 + 2 * gapMs), next)
  }
  const perSecond = (rate: number, what: (client: Client) => void) => {
    if (rate > 0) often(1000 / rate, what)
  }

  often(callGapMs / contexts, client => {
    const controller = new AbortController()
    if (random.chance(callerAborts)) {
      client.realm.later(random.between(0, 300), 'call', () => controller.abort(new Error('gone')))
    }
    // several calls at once, as pages do
    for (let left = random.pick([1, 1, 4]); left > 0; left--) {
      client.call(controller.signal).then(
        answer => {
          if (answer === 'accepted') counts.accepted++
        },
        error => {
          if (controller.signal.aborted) counts.aborted++
          else counts.failed++
          if (controller.signal.aborted) world.meet('caller gives up')
          else if (error instanceof LockTimeoutError) world.meet('lock not to be had')
        },
      )
    }
  })
  const settles = (client: Client, what: string, work: Promise<unknown>) => {
    const ended = watch.begin(client, what)
    work.catch(error => watch.rejected(client, undefined, error, false)).finally(ended)
  }
  const [first] = world.clients
  if (first) settles(first, 'signIn()', first.signIn())
  perSecond(parameters.signOut, client => {
    counts.signOuts++
    world.meet('sign-out')
    settles(client, 'signOut()', client.signOut())
  })
  perSecond(parameters.signIn, client => {
    counts.signIns++
    world.meet('sign-in')
    settles(client, 'signIn()', client.signIn())
  })
  perSecond(parameters.clockJump, ({ realm }) => {
    world.jump(realm, random.pick([-10_800, -3600, -60, 60, 3600, 10_800]) * 1000)
  })
  perSecond(parameters.accessTokenRevoked, () => {
    world.meet('tokens revoked')
    server.revokeAccessTokens()
  })
  perSecond(parameters.sessionRevoked, () => {
    world.meet('session revoked')
    server.revokeSessions()
  })
}

/** Effects that the faulty period may still cause once. `isPaused`: a refresh had failed, and it was too early for the next one. */
const isTransient = (
  answer: string,
  knewSession: boolean,
  isPaused: boolean,
  { freeze }: World['parameters'],
) =>
  (answer === 'ERR_NETWORK' && isPaused) ||
  // it asked while the store contained a record that it cannot use
  answer === 'ERR_CONFIGURATION' ||
  // a client that does not know about its session's end is informed now
  (answer === 'ERR_AUTHORIZATION_REQUIRED' && !knewSession) ||
  // no client has checked the lease of a missing holder yet
  answer === 'ERR_LOCK_TIMEOUT' ||
  // a frozen client may hold tokens that could not be stored: until it thaws no other client may send the old refresh token
  (answer === 'ERR_STORAGE' && freeze > 0) ||
  answer === 'refused'

/** After the faults: one more call in each context, then all of them match the store. */
async function expectAgreement(world: World, check: () => void): Promise<void> {
  const { watch, scheduler, server } = world
  const canUse = (client: Client) => client.canUse(world.storage.peek(RECORD))
  const ask = async (isFirst: boolean) => {
    world.say('world', 'asks everyone for one more call')
    const pausedUntil = world.stored()?.trouble?.until ?? 0
    const answers = world.clients.map(client => ({
      client,
      before: client.shown,
      isPaused: client.realm.clock.now() < pausedUntil,
      answer: 'none',
    }))
    for (const one of answers) {
      one.client.call().then(
        answer => {
          one.answer = answer
        },
        error => {
          const { code, reason } = error as { code?: string; reason?: string }
          // a client that waits while another one binds the session to a key is told the reason
          const isUnusable = reason === 'unusable_record'
          one.answer = isUnusable ? 'ERR_CONFIGURATION' : (code ?? String(error))
        },
      )
    }
    await scheduler.run(scheduler.now + LAST_CALL_MS, check)
    const record = world.stored()
    const lives = record && !server.familyOf(record.tokens.refreshToken as string)?.over
    for (const { client, before, isPaused, answer } of answers) {
      world.say(client.id, `was answered: ${answer}; holds ${client.holds()?.tokens.refreshToken}`)
      if (!canUse(client) && answer === 'ERR_CONFIGURATION') continue
      if (answer === (lives ? 'accepted' : 'ERR_AUTHORIZATION_REQUIRED')) continue
      // by a clock that was set back, an old token of another context is fresh: each refresh costs such a call
      if (answer === 'refused' && world.parameters.clockJump > 0) continue
      if (isFirst && isTransient(answer, before === record?.sessionId, isPaused, world.parameters)) continue
      watch.violate('all contexts agree', `the last call of ${client.id} ended in ${answer}`)
    }
    return { record, lives }
  }

  const wake = async () => {
    for (const client of world.clients) void client.wake()
    await scheduler.run(scheduler.now + LAST_CALL_MS, check)
  }

  await ask(true)
  await wake()
  const { record, lives } = await ask(false)
  // if no client can use it, no client can find out
  const isUsed = world.clients.some(canUse)
  if (record && !lives && isUsed)
    watch.violate('all contexts agree', 'the store holds a session that is over')
  // clients that refresh early may be refreshing again: at some moment all of them agree
  let apart: Client | undefined
  for (let step = 0; step < AGREEMENT.steps; step++) {
    if (step % AGREEMENT.wakesEvery === 0) for (const client of world.clients) void client.wake()
    await scheduler.run(scheduler.now + AGREEMENT.stepMs, check)
    const now = world.stored()
    const agrees = (client: Client) =>
      canUse(client)
        ? client.holds()?.version === now?.version && client.shown === now?.sessionId
        : client.shown === undefined
    apart = world.clients.find(client => !agrees(client))
    if (!apart) return
  }
  if (apart) watch.violate('all contexts agree', `${apart.id} does not hold what the store holds`)
}
