import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { StorageError } from '../../../src/errors.ts'
import { file } from '../../../src/node.ts'

// Runs steps with a file store one after the other, and prints the result of each as a line of JSON. It is a separate
// process because a step may hang or end it.
const [path = '', ...steps] = process.argv.slice(2)
const { keyValue, lock } = file(path)

const work: Record<string, (value: string) => unknown> = {
  get: () => keyValue.get('key'),
  keys: () => keyValue.keys(''),
  put: value => keyValue.update('key', () => value),
  putMuch: value => keyValue.update('key', () => 'x'.repeat(Number(value))),
  lock: name => lock.run(name, async () => 'had', 5000),
  /** Replaces the lock's file with a pipe while it holds the lock. */
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
  /** Stops this process (SIGSTOP) when it holds the writers' lock for the first time, before it writes. */
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
    const { code, message, retryable, cause } = error as StorageError & { cause?: { code?: string } }
    writeSync(1, `${JSON.stringify({ step: name, code, message, retryable, because: cause?.code })}\n`)
  }
}
