import { parseArgs } from 'node:util'
import { createRandom } from '../simulation/scheduler.ts'
import { runFleet } from './fleet-report.ts'

// A fleet over a real Redis with a replica and a Sentinel. Processes are killed, and stopped past their lease. Redis pauses,
// sleeps, restarts and fails over: `tsx test/soak/fleet.ts [--seconds=60] [--processes=20] [--sessions=200] [--seed=N]`. It
// ends by itself. Its exit status is 1 if an avoidable loss of a session occurred.

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    processes: { type: 'string', default: '20' },
    sessions: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  },
})
const [seconds, processes, sessions] = [values.seconds, values.processes, values.sessions].map(Number)
if (!seconds || !processes || !sessions) throw new Error('The options are numbers of 1 or more.')

process.stdout.write(`seed ${values.seed}: ${processes} processes × ${sessions} sessions for ${seconds} s\n`)
if (!(await runFleet(createRandom(Number(values.seed)), { processes, sessions, seconds }))) {
  process.stderr.write('VIOLATION: a session was lost that could have been kept.\n')
  process.exitCode = 1
}
