import { expect, test } from 'vitest'
import { createRandom } from '../simulation/scheduler.ts'
import { isClean, processStorm } from '../soak/process-storm.ts'
import { mayMakePidNamespaces } from '../support/pid-namespace.ts'

const hasNamespaces = mayMakePidNamespaces()
if (!hasNamespaces) console.info('PID namespaces cannot be made here: their storm is left out.')

test.each([
  ['one PID namespace', false],
  ['two PID namespaces with one host name', true],
])(
  'ten processes in %s, killed and stopped at random, lose no session whose tokens were stored [F1.5, F1.8]',
  {
    timeout: 240_000,
  },
  async (_where, namespaces) => {
    if (namespaces && !hasNamespaces) return
    const seed = Number(process.env.LATCHKEY_SEED) || Date.now() % 1_000_000
    const random = createRandom(seed)
    const lines: string[] = []
    const report = await processStorm({
      seconds: 10,
      leastRefreshes: 3,
      random,
      namespaces,
      longStops: false,
      log: line => lines.push(line),
    })
    console.info(`LATCHKEY_SEED=${seed}\n${JSON.stringify(report)}`)
    // the seed does not determine what real processes do: this log shows it
    const told = lines.filter(line => /server: (?!401)|judge|"type":"(?!metadata)/.test(line))
    expect(isClean(report), told.slice(-300).join('\n')).toBe(true)
    expect(report.refreshes).toBeGreaterThan(2)
    expect(report.killed).toBeGreaterThan(0)
    expect(report.stopped).toBeGreaterThan(0)
  },
)
