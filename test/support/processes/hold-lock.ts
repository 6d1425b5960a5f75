import { writeSync } from 'node:fs'
import { fileLock } from '../../../src/lock/file.ts'
import { deviceClock } from '../../../src/platform/device.ts'

// Acquires the lock, prints "held", and holds the lock until it reads a line from standard input or is killed.
const [folder = '', name = ''] = process.argv.slice(2)
const told = new Promise<void>(resolve => process.stdin.once('data', () => resolve()))
await fileLock(folder, deviceClock).run(
  name,
  async () => {
    writeSync(1, 'held\n')
    await told
  },
  15_000,
)
writeSync(1, 'let go\n')
process.exit(0)
