import { createWriteStream } from 'node:fs'
import { parseArgs } from 'node:util'
import { createRandom } from '../simulation/scheduler.ts'
import { mayMakePidNamespaces } from '../support/pid-namespace.ts'
import { isClean, processStorm } from './process-storm.ts'

// Ten real processes over one file, killed and stopped at random. The server rotates refresh tokens and ends the session of
// a reused one: `tsx test/soak/processes.ts --minutes=5 [--namespaces] [--seed=N] [--log=FILE]`. `--namespaces` puts them in
// two PID namespaces. `--log` writes each event to a file. It ends by itself. Its exit status is 1 if a session was lost
// whose tokens had been stored, or if a process is left over.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    namespaces: { type: 'boolean', default: false },
    log: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  },
})
const minutes = Number(values.minutes)
if (!(minutes > 0 && minutes <= 120))
  throw new Error(`"--minutes" must be from 0 to 120; got ${values.minutes}.`)
const { namespaces } = values

if (namespaces && !mayMakePidNamespaces()) {
  process.stdout.write(
    'PID namespaces cannot be made here (root on Linux can make them): nothing was tried.\n',
  )
} else {
  const seed = Number(values.seed)
  process.stdout.write(`seed ${seed}, ${minutes} min${namespaces ? ', two PID namespaces' : ''}\n`)
  const random = createRandom(seed)
  const log = values.log ? createWriteStream(values.log) : undefined
  const report = await processStorm({
    seconds: minutes * 60,
    random,
    namespaces,
    longStops: true,
    log: log && (line => log.write(`${line}\n`)),
  })
  log?.end()
  const { outcomes, ...row } = report
  console.table([row])
  console.table([outcomes])
  if (!isClean(report)) {
    process.stderr.write('VIOLATION: a session was lost that was stored, or a process was left behind.\n')
    process.exitCode = 1
  }
}
