import { describe, inject } from 'vitest'
import { type E2e, endToEndIn } from '../e2e.ts'
import type { EngineProfile, FoundEngine } from './engine.ts'
import { findEngines } from './find.ts'
import { connectToFirefox } from './firefox.ts'

export type EngineE2e = E2e<EngineProfile>

/** Runs the same tests in every engine on this machine, each with separate servers. All files use one Firefox. */
export const inEveryEngine = (tests: (e2e: EngineE2e, name: FoundEngine['name']) => void): void =>
  describe.each(findEngines().map(found => [found.name, found] as const))('%s', (name, found) =>
    tests(
      endToEndIn(() => (name === 'Firefox' ? connectToFirefox(inject('firefox')) : found.launch())),
      name,
    ),
  )
