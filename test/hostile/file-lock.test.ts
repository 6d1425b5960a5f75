import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LockTimeoutError, StorageError } from '../../src/errors.ts'
import { fileLock } from '../../src/lock/file.ts'
import { deviceClock } from '../../src/platform/device.ts'
import { children } from '../support/child.ts'
import { inPidNamespace, mayMakePidNamespaces } from '../support/pid-namespace.ts'
import { tempFolders } from '../support/temp-folder.ts'

const tempFolder = tempFolders()
const start = children()
const startElsewhere = children(inPidNamespace)
const hasNamespaces = mayMakePidNamespaces()
if (!hasNamespaces) console.info('PID namespaces cannot be made here: their tests are left out.')
/** Processes that run TypeScript take a while to start on a busy machine. */
const PATIENTLY = { timeout: 90_000 }
const isRoot = process.getuid?.() === 0

/** How much faster the watched time passes. */
const hurried = (times: number) => () => performance.now() * times
const refused = (lock: Promise<unknown>) => expect(lock).rejects.toBeInstanceOf(LockTimeoutError)

/** The path of the current lock file. */
const lockFileOf = (folder: string, name = 'name') => {
  const numbers = readdirSync(join(folder, name)).filter(entry => /^\d+$/.test(entry))
  return join(folder, name, String(Math.max(...numbers.map(Number))))
}

describe('the owner of a file lock', PATIENTLY, () => {
  test.runIf(hasNamespaces)(
    'keeps its lock while it runs in another PID namespace with the same host name [F1.5]',
    async () => {
      const folder = tempFolder()
      const holder = startElsewhere('hold-lock', folder, 'name')
      await holder.says('held')
      await refused(fileLock(folder, deviceClock).run('name', async () => {}, 1000))
      holder.process.stdin?.write('let go\n')
      expect(await holder.ended).toBe(0)
      expect(await fileLock(folder, deviceClock).run('name', async () => 'free', 1000)).toBe('free')
    },
  )

  test.runIf(hasNamespaces)(
    'that died in another PID namespace keeps its lock until the lease ends [F1.5]',
    async () => {
      const folder = tempFolder()
      const holder = startElsewhere('hold-lock', folder, 'name')
      await holder.says('held')
      holder.kill('SIGKILL')
      await holder.ended
      const lock = fileLock(folder, deviceClock, hurried(20))
      await refused(lock.run('name', async () => {}, 10_000))
      expect(await lock.run('name', async () => 'overtaken', 15_000)).toBe('overtaken')
    },
  )

  test.each([
    ['ahead', 3600],
    ['back', -3600],
  ])('keeps its lock when the clock is set %s by an hour [F1.8]', async (_way, seconds) => {
    const folder = tempFolder()
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    // equivalent to such a clock step, because the file's age changes by the same amount
    const then = Date.now() / 1000 - seconds
    utimesSync(lockFileOf(folder), then, then)
    const stepped = { ...deviceClock, now: () => Date.now() + seconds * 1000 }
    await refused(fileLock(folder, stepped).run('name', async () => {}, 500))
    await refused(fileLock(folder, deviceClock).run('name', async () => {}, 500))
  })

  test('does not delay a waiting caller further if the clock is set back [F1.8]', async () => {
    const folder = tempFolder()
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    let now = Date.now()
    const falling = {
      ...deviceClock,
      now: () => {
        now -= 60_000
        return now
      },
    }
    await refused(fileLock(folder, falling).run('name', async () => {}, 300))
  })

  test('is not overtaken because of time in which no process watched [F1.8]', async () => {
    const folder = tempFolder()
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    let asleepMs = 0
    const lock = fileLock(folder, deviceClock, () => performance.now() + asleepMs)
    await refused(lock.run('name', async () => {}, 100))
    asleepMs = 60_000 // as if the machine had slept with a clock that counts sleep
    await refused(lock.run('name', async () => {}, 100))
  })

  test('that is stopped is overtaken after it was watched for longer than the time limit [F1.8, RF08]', async () => {
    const folder = tempFolder()
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    holder.kill('SIGSTOP')
    const lock = fileLock(folder, deviceClock, hurried(20))
    await refused(lock.run('name', async () => {}, 10_000))
    expect(await lock.run('name', async () => 'overtaken', 15_000)).toBe('overtaken')
  })

  test('that was killed is recognized as dead even if a running process has reused its PID [F1.5]', async () => {
    const folder = tempFolder()
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    const owner = JSON.parse(readFileSync(lockFileOf(folder), 'utf8'))
    holder.kill('SIGKILL')
    await holder.ended
    writeFileSync(lockFileOf(folder), JSON.stringify({ ...owner, pid: process.pid }))
    expect(await fileLock(folder, deviceClock).run('name', async () => 'free', 1000)).toBe('free')
  })

  test('of which only the PID is known keeps its lock until the lease ends, dead or not [F1.5]', async () => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'name'), { recursive: true })
    const ended = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
    await once(ended, 'close')
    writeFileSync(join(folder, 'name', '1'), JSON.stringify({ pid: ended.pid, host: 'elsewhere' }))
    const lock = fileLock(folder, deviceClock, hurried(20))
    await refused(lock.run('name', async () => {}, 10_000))
    expect(await lock.run('name', async () => 'overtaken', 15_000)).toBe('overtaken')
  })
})

describe('a lock file that latchkey would not create', PATIENTLY, () => {
  const put: [string, (path: string) => void | Promise<void>][] = [
    ['contains "null"', path => writeFileSync(path, 'null')],
    ['contains a number', path => writeFileSync(path, '42')],
    ['contains an owner without a PID', path => writeFileSync(path, '{"pid":"all"}')],
    ['names a process group as its owner', path => writeFileSync(path, '{"pid":-1}')],
    ['contains garbage', path => writeFileSync(path, '\u0000\uffff{{{')],
    ['contains ten megabytes', path => writeFileSync(path, '['.repeat(10_000_000))],
    ['is empty', path => writeFileSync(path, '')],
    ['is a folder', path => mkdirSync(path)],
    [
      'is a folder that is not empty',
      path => {
        mkdirSync(path)
        writeFileSync(join(path, 'kept'), '')
      },
    ],
    ['is a link to nothing', path => symlinkSync(`${path}-nothing`, path)],
    ['is a link to itself', path => symlinkSync(path, path)],
    [
      'is a socket',
      async path => {
        const server = createServer().listen(`${path}-socket`)
        await once(server, 'listening')
        renameSync(`${path}-socket`, path)
        server.close()
        await once(server, 'close')
      },
    ],
  ]

  test.each(put)('is soon taken over if it %s [F5.3]', async (_what, make) => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'name'))
    await make(join(folder, 'name', '7'))
    const lock = fileLock(folder, deviceClock)
    expect(await lock.run('name', async () => 'first', 5000)).toBe('first')
    expect(await lock.run('name', async () => 'second', 5000)).toBe('second')
    expect(await fileLock(folder, deviceClock).run('name', async () => 'third', 5000)).toBe('third')
  })

  test.each([
    ['a number that is too high to increment', '99999999999999999999'],
    ['a number with leading zeros', '007'],
    ['a number below one', '0'],
    ['letters', 'README'],
  ])('does not count if its name is %s [F5.3]', async (_what, name) => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'name'))
    writeFileSync(join(folder, 'name', name), '')
    expect(await fileLock(folder, deviceClock).run('name', async () => 'free', 1000)).toBe('free')
  })

  test('is rejected by name if no higher number exists [F5.3]', async () => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'name'))
    writeFileSync(join(folder, 'name', '999999999999999'), '')
    const error = await fileLock(folder, deviceClock)
      .run('name', async () => {}, 1000)
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StorageError)
    expect((error as Error).message).toContain('999999999999999')
  })

  test('that is a link is removed, and its target stays [F5.3]', async () => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'name'))
    const precious = join(folder, 'precious')
    writeFileSync(precious, 'text')
    symlinkSync(precious, join(folder, 'name', '1'))
    const lock = fileLock(folder, deviceClock)
    for (let time = 0; time < 3; time++) await lock.run('name', async () => {}, 5000)
    expect(readFileSync(precious, 'utf8')).toBe('text')
    expect(existsSync(join(folder, 'name', '1'))).toBe(false)
  })

  test('that replaces a held lock does no harm: the work completes, and the lock can be acquired again [F5.3]', async () => {
    const folder = tempFolder()
    const lock = fileLock(folder, deviceClock)
    const done = await lock.run(
      'name',
      async () => {
        const path = lockFileOf(folder)
        rmSync(path)
        symlinkSync(path, path)
        return 'done'
      },
      1000,
    )
    expect(done).toBe('done')
    expect(await lock.run('name', async () => 'again', 5000)).toBe('again')
  })
})

describe('the folder of a file lock', PATIENTLY, () => {
  test('that is removed while the lock is held or waited for causes no error [F5.3]', async () => {
    const folder = join(tempFolder(), 'tokens.json.lock')
    const lock = fileLock(folder, deviceClock)
    let others: Promise<unknown> | undefined
    const first = await lock.run(
      'name',
      async () => {
        others = fileLock(folder, deviceClock).run('name', async () => 'other', 5000)
        rmSync(folder, { recursive: true })
        return 'first'
      },
      1000,
    )
    expect(first).toBe('first')
    expect(await others).toBe('other')
    expect(await lock.run('name', async () => 'again', 1000)).toBe('again')
  })

  test('that was removed and created again is not released by the old holder [F5.3]', async () => {
    const folder = join(tempFolder(), 'tokens.json.lock')
    let end = () => {}
    const ended = new Promise<void>(resolve => {
      end = resolve
    })
    const old = fileLock(folder, deviceClock)
    for (let time = 0; time < 4; time++) await old.run('name', async () => {}, 1000) // its numbers are higher
    let inside: Promise<unknown> | undefined
    await old.run(
      'name',
      async () => {
        rmSync(folder, { recursive: true })
        let entered = false
        inside = fileLock(folder, deviceClock).run(
          'name',
          () => {
            entered = true
            return ended
          },
          5000,
        )
        await expect.poll(() => entered, { interval: 1 }).toBe(true)
      },
      1000,
    )
    await refused(fileLock(folder, deviceClock).run('name', async () => {}, 800))
    end()
    await inside
  })

  const places: [string, (folder: string) => string][] = [
    ['folder of all locks', folder => folder],
    ['folder of one lock', folder => join(folder, 'name')],
  ]
  test.each(places)(
    'is rejected if the %s is a link, and the target stays unchanged [F5.6]',
    async (_what, at) => {
      const folder = join(tempFolder(), 'tokens.json.lock')
      const victim = tempFolder()
      const names = ['1', '2', '3', '4']
      for (const name of names) writeFileSync(join(victim, name), 'precious')
      mkdirSync(join(victim, 'name'))
      for (const name of names) writeFileSync(join(victim, 'name', name), 'precious')
      if (at(folder) !== folder) mkdirSync(folder)
      symlinkSync(victim, at(folder))
      const error = await fileLock(folder, deviceClock)
        .run('name', async () => {}, 1000)
        .catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(StorageError)
      expect((error as Error).message).toContain(`${at(folder)} is a symbolic link`)
      expect(readdirSync(victim).sort()).toEqual([...names, 'name'])
      expect(readdirSync(join(victim, 'name')).sort()).toEqual(names)
    },
  )

  test.each(places)('is rejected if the %s is a file [F5.3]', async (_what, at) => {
    const folder = join(tempFolder(), 'tokens.json.lock')
    if (at(folder) !== folder) mkdirSync(folder)
    writeFileSync(at(folder), '')
    await expect(fileLock(folder, deviceClock).run('name', async () => {}, 1000)).rejects.toMatchObject({
      code: 'ERR_STORAGE',
      message: expect.stringContaining(`${at(folder)} is not a folder`),
    })
  })

  test.runIf(isRoot)('is rejected if it belongs to another user [F5.3]', async () => {
    const folder = join(tempFolder(), 'tokens.json.lock')
    mkdirSync(folder)
    chownSync(folder, 12345, 12345)
    await expect(fileLock(folder, deviceClock).run('name', async () => {}, 1000)).rejects.toMatchObject({
      code: 'ERR_STORAGE',
      message: expect.stringContaining('another user'),
    })
  })

  test('keeps no files of processes that were killed during a release [F5.4]', async () => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'name'))
    for (const left of ['1.4711.free', '2.0b0f1c0e-1111-4222-8333-444455556666.free']) {
      writeFileSync(join(folder, 'name', left), '{"pid":4711,"free":true}')
    }
    writeFileSync(join(folder, 'name', '3'), '{"pid":4711,"free":true}')
    const lock = fileLock(folder, deviceClock)
    for (let time = 0; time < 3; time++) await lock.run('name', async () => {}, 1000)
    expect(readdirSync(join(folder, 'name')).sort()).toEqual(['5', '6'])
  })
})
