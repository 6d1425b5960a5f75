import fc from 'fast-check'
import { describe, test } from 'vitest'
import { clients } from './clients.ts'
import { runsOf } from './hostile.ts'
import { parsers } from './parsers.ts'
import { resourceServer } from './resource-server.ts'

describe('any input', () => {
  for (const target of [...parsers, ...clients, ...resourceServer])
    test(target.name, { timeout: 60_000 }, () =>
      fc.assert(target.property() as fc.IAsyncProperty<[unknown]>, { numRuns: runsOf(target, 2000) }),
    )
})
