import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { file } from '../../../src/node.ts'

// Does one step after the other with a file store, and tells what came of each: a line of JSON. What would hang or end
// a process does it to this one.
const [path = '', ...steps] = process.argv.slice(2)
const { keyValue, lock } = file(path)

const work: Record<string, (value: string) => unknown> = {
  get: () => keyValue.get('key'),
  keys: () => keyValue.keys(''),
  put: value => keyValue.update('key', () => value),
  putMuch: value => keyValue.update('key', () => 'x'.repeat(Number(value))),
  lock: name => lock.run(name, async () => 'had', 5000),
  /** While it holds a lock, a pipe takes the place of what stands for it. */
  lockThenPipe: name =>
    lock.run(
      name,
      async () => {
        const folder = join(`${path}.lock`, name)
        const [number = ''] = readdirSync(folder).sort().reverse()
        rmSync(join(folder, number))
        execFileSync('mkfifo', [join(folder, number)])
        return 'had'
      },
      5000,
    ),
  /** Is stopped the first time that it holds the lock of writers, before it writes. */
  stopAndPut(value) {
    let times = 0
    return keyValue.update('key', stored => {
      if (times++ === 0) process.kill(process.pid, 'SIGSTOP')
      return times === 1 ? value : `${stored}, then ${value}`
    })
  },
  fill(folder) {
    mkdirSync(folder)
    for (const size of [4096, 1]) {
      try {
        for (let index = 0; ; index++) writeFileSync(join(folder, `${size}-${index}`), 'x'.repeat(size))
      } catch {} // full
    }
  },
  remove: what => rmSync(what, { recursive: true }),
  nobody() {
    process.setgid?.(65534)
    process.setuid?.(65534)
  },
}

for (const step of steps) {
  const [name = '', ...value] = step.split('=')
  try {
    const result = await work[name]?.(value.join('='))
    writeSync(1, `${JSON.stringify({ step: name, result })}\n`)
  } catch (error) {
    const { code, message, cause } = error as Error & { code?: string; cause?: { code?: string } }
    writeSync(1, `${JSON.stringify({ step: name, code, message, because: cause?.code })}\n`)
  }
}
