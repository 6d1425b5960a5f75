import { existsSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileLock } from '../../../src/lock/file.ts'
import { deviceClock } from '../../../src/platform/device.ts'

// Adds one to a number in a file, so many times, each time under the lock: read, wait a moment, write.
const [folder = '', times = '0'] = process.argv.slice(2)
const lock = fileLock(join(folder, 'lock'), deviceClock)
const counter = join(folder, 'counter')
const inside = join(folder, 'inside')

for (let done = 0; done < Number(times); done++) {
  await lock.run(
    'count',
    async () => {
      // a name that is there belongs to someone who is inside, or was killed there
      if (existsSync(inside)) writeSync(1, `met ${readFileSync(inside, 'utf8')}\n`)
      writeFileSync(inside, String(process.pid))
      const count = Number(existsSync(counter) ? readFileSync(counter, 'utf8') : 0)
      await new Promise(resolve => setTimeout(resolve, 1))
      writeFileSync(`${counter}.${process.pid}`, String(count + 1))
      renameSync(`${counter}.${process.pid}`, counter) // whole, whenever this process is killed
      // told before anybody else may come in: what is told is done
      writeSync(1, 'added\n')
      rmSync(inside)
    },
    60_000,
  )
}
