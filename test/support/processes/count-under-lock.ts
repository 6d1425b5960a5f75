import { existsSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileLock } from '../../../src/lock/file.ts'
import { deviceClock } from '../../../src/platform/device.ts'

// Adds one to a number in a file, `times` times, each time under the lock: read, wait a moment, write.
const [folder = '', times = '0'] = process.argv.slice(2)
const lock = fileLock(join(folder, 'lock'), deviceClock)
const counter = join(folder, 'counter')
const inside = join(folder, 'inside')

for (let done = 0; done < Number(times); done++) {
  await lock.run(
    'count',
    async () => {
      // the file names another process that holds the lock now, or was killed while it held the lock
      if (existsSync(inside)) writeSync(1, `met ${readFileSync(inside, 'utf8')}\n`)
      writeFileSync(inside, String(process.pid))
      const count = Number(existsSync(counter) ? readFileSync(counter, 'utf8') : 0)
      await new Promise(resolve => setTimeout(resolve, 1))
      writeFileSync(`${counter}.${process.pid}`, String(count + 1))
      renameSync(`${counter}.${process.pid}`, counter) // atomic: the file stays complete if this process is killed
      // reported under the lock, so that every reported addition is complete
      writeSync(1, 'added\n')
      rmSync(inside)
    },
    60_000,
  )
}
