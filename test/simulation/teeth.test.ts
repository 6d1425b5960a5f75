import { expect, test } from 'vitest'
import type { Parameters, Safeguard } from './parameters.ts'
import { runSchedule, Violation } from './schedule.ts'
import type { Invariant } from './watch.ts'

const MOST_SCHEDULES = 400
const FIRST_SEED = 1

/** A world in which a safeguard is needed often. */
const withMuch = (parameters: Parameters, much: Partial<Parameters>): Parameters => ({
  ...parameters,
  gentle: false,
  ...much,
})

const teeth: {
  readonly missing: Safeguard
  /** For a second line of defence: the first, and what its absence alone breaks. */
  readonly besides?: { missing: Safeguard; breaks: Invariant }
  readonly finds: readonly Invariant[]
  readonly adjust?: (parameters: Parameters) => Parameters
}[] = [
  { missing: 'lock', finds: ['one redemption'] },
  // what it does not see in the store it does not adopt either
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
    // it is for races that the lock did not prevent
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
  const { missing, finds, besides } = tooth
  test(`without the safeguard "${missing}" the simulation finds: ${finds.join(', or ')}`, async () => {
    const found = await search(besides ? [besides.missing, missing] : [missing], tooth)
    expect(found, `within ${MOST_SCHEDULES} schedules`).toBeInstanceOf(Violation)
    expect(found?.message).toContain(`seed ${found?.seed}`)
  })
  if (!besides) continue
  test(`with the safeguard "${missing}" it does not, even without ${besides.missing}`, async () => {
    expect(await search([besides.missing], tooth)).toBeUndefined()
  })
}
