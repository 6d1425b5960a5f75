import fc from 'fast-check'
import { expect, test } from 'vitest'
import { properties } from './properties.ts'

const RUNS = 2000

// a counterexample names its seed; `npm run fuzz -- --seed=…` runs it again
test.each(properties.map(property => [property.name, property] as const))(
  '%s',
  async (_name, { cost, make }) => {
    await fc.assert(await make(), { numRuns: RUNS / cost })
    expect(Object.keys(Object.prototype)).toEqual([])
  },
  60_000,
)
