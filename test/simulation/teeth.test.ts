import { expect, test } from 'vitest'
import type { Parameters, Safeguard } from './parameters.ts'
import { runSchedule, Violation } from './schedule.ts'
import type { Invariant } from './watch.ts'

const MOST_SCHEDULES = 400
/** For each world, to show that the missing safeguard causes the failure. */
const SOUND_SCHEDULES = Number(process.env.LATCHKEY_SOUND ?? 12)
/** Test machines are shared. */
const TIMEOUT_MS = 180_000
const FIRST_SEED = 1

/** A world in which a safeguard is needed often. */
const withMuch = (parameters: Parameters, much: Partial<Parameters>): Parameters => ({
  ...parameters,
  gentle: false,
  ...much,
})

/** Several tabs over Web Locks and a server that takes up to 12 s; no call fails for other reasons. */
const crowded = (parameters: Parameters, much: Partial<Parameters>): Parameters =>
  withMuch(parameters, {
    ...{ lock: 'web', contexts: 4, disturbedMs: 40_000, callGapMs: 1500, crash: 0, mixed: false },
    server: { ...parameters.server, thinksMs: 12_000, graceMs: 30_000, accessTokenSeconds: 3, unfit: 0 },
    network: { ...parameters.network, slow: 0, lostBefore: 0, lostAfter: 0, refused: 0 },
    storage: { ...parameters.storage, faults: 0 },
    ...much,
  })

const teeth: {
  readonly missing: Safeguard
  /** The row of the findings that the safeguard answers. */
  readonly row?: string
  /** For a second line of defence: the first one, and what its absence alone breaks. */
  readonly besides?: { missing: Safeguard; breaks: Invariant }
  readonly finds: readonly Invariant[]
  readonly adjust?: (parameters: Parameters) => Parameters
}[] = [
  { missing: 'lock', finds: ['one redemption'] },
  // it does not adopt what it does not see in the store
  { missing: 're-read', finds: ['all contexts agree', 'one redemption'] },
  {
    missing: 'replace-if-unchanged',
    finds: ['what is over stays over'],
    adjust: parameters => withMuch(parameters, { signOut: 0.3, signIn: 0.3 }),
  },
  {
    missing: 'intent-mark',
    finds: ['an interruption is told'],
    adjust: parameters => {
      const { network, server, storage } = parameters
      return withMuch(parameters, {
        crash: 0.02,
        network: { ...network, lostAfter: 0.2 },
        server: { ...server, graceMs: 0 },
        storage: { ...storage, faults: 0 },
      })
    },
  },
  { missing: 'store-before-use', finds: ['durable before used'] },
  {
    missing: 'judge-re-read',
    finds: ['only the server ends a session'],
    // it handles races that the lock did not prevent
    besides: { missing: 'lock', breaks: 'one redemption' },
    adjust: parameters =>
      withMuch(parameters, {
        ...{ signOut: 0, signIn: 0, sessionRevoked: 0 },
        server: { ...parameters.server, reuse: 'refuses', graceMs: 0 },
        network: { ...parameters.network, delayMs: 100, slow: 0, lostBefore: 0, lostAfter: 0, refused: 0 },
        storage: { ...parameters.storage, faults: 0 },
      }),
  },
  {
    missing: 'sign-out-guard',
    finds: ['what is over stays over'],
    adjust: parameters => withMuch(parameters, { signOut: 0.4 }),
  },
  {
    // a holder that took over from a slow one
    missing: 'holds-told-apart',
    row: 'F1.1',
    finds: ['one redemption'],
    adjust: parameters => crowded(parameters, { freeze: 0, clockJump: 0, crash: 0.02, disturbedMs: 60_000 }),
  },
  {
    missing: 'lease-around-a-holder',
    finds: ['one redemption'],
    adjust: parameters => crowded(parameters, { freeze: 0.04, disturbedMs: 60_000 }),
  },
  {
    missing: 'late-means-lease',
    finds: ['one redemption'],
    adjust: parameters => crowded(parameters, { freeze: 0.04, disturbedMs: 60_000 }),
  },
  {
    missing: 'sends-within-hold',
    finds: ['one redemption'],
    adjust: parameters => crowded(parameters, { freeze: 0.04, disturbedMs: 60_000 }),
  },
  {
    missing: 'unsaved-is-seen',
    finds: ['one redemption'],
    adjust: parameters =>
      withMuch(parameters, {
        ...{ lock: 'web', contexts: 3, crash: 0, freeze: 0, mixed: false },
        server: { ...parameters.server, accessTokenSeconds: 5 },
        storage: { ...parameters.storage, faults: 0, full: 0.1 },
      }),
  },
  {
    // a rejected response has rotated the token anyway
    missing: 'unfit-answer-rotates',
    row: 'F1.3',
    finds: ['one redemption'],
    adjust: parameters =>
      withMuch(parameters, { server: { ...parameters.server, unfit: 0.3, accessTokenSeconds: 3 } }),
  },
  {
    // a page that bypasses its host relies on the host's lock
    missing: 'host-shares-the-lock',
    finds: ['one redemption'],
    adjust: parameters =>
      withMuch(parameters, {
        ...{ lock: 'web', contexts: 3, hosted: true, hostLate: 0.3, crash: 0, mixed: false },
        server: { ...parameters.server, accessTokenSeconds: 3, thinksMs: 6000 },
      }),
  },
  {
    missing: 'lease-outlives-a-hold',
    finds: ['one redemption'],
    adjust: parameters => crowded(parameters, { lock: 'redis', freeze: 0, clockJump: 0 }),
  },
  {
    // whoever slept through its lease comes back to that of the next holder
    missing: 'own-lease-is-released',
    finds: ['one redemption'],
    adjust: parameters =>
      crowded(parameters, { lock: 'redis', freeze: 0.04, clockJump: 0, disturbedMs: 60_000 }),
  },
  {
    // two containers with one folder: neither sees the processes of the other
    missing: 'owner-known-by-place',
    row: 'F1.5',
    finds: ['one redemption'],
    adjust: parameters => crowded(parameters, { lock: 'file', freeze: 0, clockJump: 0 }),
  },
  {
    // an old tab beside a new one
    missing: 'unusable-is-left-alone',
    row: 'F1.6',
    finds: ['only the server ends a session'],
    adjust: parameters => withMuch(parameters, { releases: true, signOut: 0, mixed: false }),
  },
  {
    missing: 'replay-within-session',
    row: 'F1.2',
    finds: ['no call as somebody else'],
    adjust: parameters => withMuch(parameters, { signIn: 0.3, accessTokenRevoked: 0.3, apiMs: 3000 }),
  },
  {
    missing: 'sign-in-epoch',
    row: 'F1.4',
    finds: ['a sign-out ends sign-ins under way'],
    adjust: parameters => withMuch(parameters, { signIn: 0.3, signOut: 0.3, signInMs: 3000 }),
  },
]

const search = async (missing: readonly Safeguard[], { finds, besides, adjust }: (typeof teeth)[number]) => {
  const tolerates = besides ? [besides.breaks] : []
  for (let seed = FIRST_SEED; seed < FIRST_SEED + MOST_SCHEDULES; seed++) {
    try {
      await runSchedule(seed, { missing, tolerates, adjust })
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      if (finds.includes(error.invariant)) return error
    }
  }
}

for (const tooth of teeth) {
  const { missing, finds, besides, row } = tooth
  test(`without the safeguard "${missing}" the simulation finds: ${finds.join(', or ')}${row ? ` [${row}]` : ''}`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    const found = await search(besides ? [besides.missing, missing] : [missing], tooth)
    expect(found, `within ${MOST_SCHEDULES} schedules`).toBeInstanceOf(Violation)
    expect(found?.message).toContain(`seed ${found?.seed}`)
  })
  if (!besides) continue
  test(`with the safeguard "${missing}" the simulation finds nothing, even without ${besides.missing}`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    expect(await search([besides.missing], tooth)).toBeUndefined()
  })
}

test('with every safeguard, the same worlds violate no invariant', { timeout: TIMEOUT_MS }, async () => {
  for (const { adjust } of teeth) {
    for (let seed = FIRST_SEED; adjust && seed < FIRST_SEED + SOUND_SCHEDULES; seed++) {
      await runSchedule(seed, { adjust })
    }
  }
})
