import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LockTimeoutError } from '../../src/errors.ts'
import { fileLock } from '../../src/refresh/lock-file.ts'
import { lifeOf, type Owner, thisProcess } from '../../src/refresh/lock-owner.ts'
import { deviceClock } from '../../src/runtime/device-clock.ts'
import { children } from '../support/child.ts'
import { canMount, canUnshare, disks } from '../support/mounts.ts'
import { tempFolders } from '../support/temp-folder.ts'

const tempFolder = tempFolders()
const start = children()
const disk = disks()

/** Less patience than anybody needs outside of tests. */
const soon = (folder: string) => fileLock(folder, deviceClock, { staleMs: 100 })
const patience = 10_000

describe('the owner of a lock file', () => {
  const me = thisProcess()
  /** No process has this number: the kernel's limit is 2²². */
  const gone = { ...me, pid: 2 ** 22 + 1 }

  test.runIf(process.platform === 'linux')(
    'is dead when no process of its boot and PID namespace has its number, or a later one has it [F1.5]',
    () => {
      expect(lifeOf(me, me)).toBe('running')
      expect(lifeOf(gone, me)).toBe('dead')
      expect(lifeOf({ ...me, startTime: '1' }, me)).toBe('dead')
    },
  )

  test.each<[string, Partial<Owner>]>([
    ['of another host', { host: 'other' }],
    ['of another PID namespace', { pidNamespace: 'pid:[1]' }],
    ['of another boot, which may be another machine', { boot: 'other' }],
    ['that tells no boot', { boot: undefined }],
    ['that tells no PID namespace', { pidNamespace: undefined }],
  ])('%s is never taken for dead, whatever process has its number here [F1.5]', (_what, change) => {
    expect(lifeOf({ ...gone, ...change }, me)).toBe('unknown')
    expect(lifeOf({ ...gone, ...change }, { ...me, ...change })).toBe(
      change.host || change.boot || change.pidNamespace ? 'dead' : 'unknown',
    )
  })

  test.runIf(canUnshare)(
    'lives also where it is in a PID namespace of its own under the same host name [F1.5]',
    { timeout: 30_000 },
    async () => {
      const folder = tempFolder()
      const holder = start.inNamespace('hold-lock', folder, 'name')
      await holder.says('held')
      const [name = ''] = readdirSync(join(folder, 'name'))
      const owner = JSON.parse(readFileSync(join(folder, 'name', name), 'utf8')) as Owner
      expect(owner.host).toBe(me.host)
      expect(owner.pidNamespace).not.toBe(me.pidNamespace)
      await expect(fileLock(folder, deviceClock).run('name', async () => {}, 300)).rejects.toBeInstanceOf(
        LockTimeoutError,
      )
      holder.process.stdin?.write('let go\n')
      await fileLock(folder, deviceClock).run('name', async () => {}, patience)
    },
  )
})

describe('a living owner', () => {
  test('keeps its lock when the clock is set forward by a minute, or back [F1.8]', async () => {
    const folder = tempFolder()
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    for (const stepMs of [60_000, -60_000, 10 * 365 * 86_400_000]) {
      const stepped = { ...deviceClock, now: () => Date.now() + stepMs }
      await expect(fileLock(folder, stepped).run('name', async () => {}, 200)).rejects.toBeInstanceOf(
        LockTimeoutError,
      )
    }
  })

  test('keeps its lock over a gap in which both it and the one who waits may have been frozen [F1.8]', async () => {
    const folder = tempFolder()
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    let now = 0
    const lock = fileLock(folder, deviceClock, { elapsed: () => now, staleMs: 14_000 })
    for (let gap = 0; gap < 5; gap++) {
      await expect(lock.run('name', async () => {}, 0)).rejects.toBeInstanceOf(LockTimeoutError)
      now += 3_600_000
    }
  })

  test('is waited for no longer than asked, whatever the clock does meanwhile [F1.8]', async () => {
    const folder = tempFolder()
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    let times = 0
    const backwards = { ...deviceClock, now: () => Date.now() - ++times * 3_600_000 }
    await expect(fileLock(folder, backwards).run('name', async () => {}, 100)).rejects.toBeInstanceOf(
      LockTimeoutError,
    )
  })
})

describe('in the place of a lock file', () => {
  const plant: Record<string, (path: string, folder: string) => void> = {
    'the text null': path => writeFileSync(path, 'null'),
    'a number': path => writeFileSync(path, '42'),
    'half of an owner': path => writeFileSync(path, '{"pid":12'),
    'an owner without a host': path => writeFileSync(path, '{"pid":1}'),
    'an owner whose number would signal a group': path => writeFileSync(path, '{"pid":-1,"host":"h"}'),
    'an empty file': path => writeFileSync(path, ''),
    'a megabyte': path => writeFileSync(path, 'x'.repeat(2 ** 20)),
    'a folder': path => mkdirSync(path),
    'a named pipe': path => void execFileSync('mkfifo', [path]),
    'a link to a file': (path, folder) => {
      writeFileSync(join(folder, 'target'), '{"free":true}')
      symlinkSync(join(folder, 'target'), path)
    },
    'a link to nothing': path => symlinkSync('/nowhere/at/all', path),
  }

  test.skipIf(process.platform === 'win32').each(Object.keys(plant))(
    '%s keeps nobody out for ever, and ends nobody [F5.3]',
    async what => {
      const folder = tempFolder()
      const directory = join(folder, 'lock', 'name')
      mkdirSync(directory, { recursive: true })
      plant[what]?.(join(directory, '7'), folder)
      // somebody may be about to write a name into it
      await expect(
        fileLock(join(folder, 'lock'), deviceClock).run('name', async () => {}, 50),
      ).rejects.toBeInstanceOf(LockTimeoutError)
      const lock = soon(join(folder, 'lock'))
      for (let time = 0; time < 4; time++) {
        expect(await lock.run('name', async () => 'taken', patience)).toBe('taken')
      }
      if (what === 'a link to a file') expect(readFileSync(join(folder, 'target'), 'utf8')).toContain('free')
    },
  )

  test('a socket keeps nobody out for ever, and ends nobody [F5.3]', async () => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'name'))
    const server = createServer().listen(join(folder, 'name', '7'))
    onTestFinished(() => void server.close())
    await new Promise(resolve => server.once('listening', resolve))
    expect(await soon(folder).run('name', async () => 'taken', patience)).toBe('taken')
  })

  test('names that latchkey never gives are left alone, and no lock [F5.3]', async () => {
    const folder = tempFolder()
    const names = ['0', '007', '-1', '1e3', '99999999999999999999999', 'notes.txt', '12345678901234567']
    mkdirSync(join(folder, 'name'))
    for (const name of names) writeFileSync(join(folder, 'name', name), 'theirs')
    for (let time = 0; time < 3; time++) await soon(folder).run('name', async () => {}, patience)
    for (const name of names) expect(readFileSync(join(folder, 'name', name), 'utf8')).toBe('theirs')
  })

  test('the last number there is gives an error that names it [F5.3]', async () => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'name'))
    writeFileSync(join(folder, 'name', '999999999999999'), '')
    await expect(soon(folder).run('name', async () => {}, patience)).rejects.toMatchObject({
      code: 'ERR_STORAGE',
      cause: { message: expect.stringContaining('999999999999999') },
    })
  })
})

describe('the folder of locks', () => {
  test('that is removed while a lock is held spoils neither that work nor the next [F5.3]', async () => {
    const folder = join(tempFolder(), 'lock')
    const lock = fileLock(folder, deviceClock)
    const result = await lock.run(
      'name',
      async () => {
        rmSync(folder, { recursive: true })
        return 'done'
      },
      patience,
    )
    expect(result).toBe('done')
    expect(await lock.run('name', async () => 'next', patience)).toBe('next')
  })

  test('that is removed while others wait is made anew, and who let go there frees nobody else’s lock [F5.3]', async () => {
    const folder = join(tempFolder(), 'lock')
    const lock = fileLock(folder, deviceClock)
    // the number of the first lock is higher than that of those who begin anew
    for (let time = 0; time < 3; time++) await lock.run('name', async () => {}, patience)
    let letGo = () => {}
    const told = new Promise<void>(resolve => {
      letGo = resolve
    })
    let isHeld = false
    const first = lock.run(
      'name',
      () => {
        isHeld = true
        return told
      },
      patience,
    )
    await expect.poll(() => isHeld).toBe(true)
    const others = fileLock(folder, deviceClock)
    let isIn = false
    let leave = () => {}
    const left = new Promise<void>(resolve => {
      leave = resolve
    })
    const second = others.run(
      'name',
      () => {
        isIn = true
        return left
      },
      patience,
    )
    rmSync(folder, { recursive: true })
    await expect.poll(() => isIn).toBe(true)
    letGo()
    await first
    await expect(fileLock(folder, deviceClock).run('name', async () => {}, 200)).rejects.toBeInstanceOf(
      LockTimeoutError,
    )
    leave()
    await second
    expect(await others.run('name', async () => 'free', patience)).toBe('free')
  })

  test.each(['the folder', 'the folder of a name'])(
    'is refused where %s is a link, and nothing behind it is touched [F5.6]',
    async which => {
      const root = tempFolder()
      const behind = join(root, 'behind')
      mkdirSync(join(behind, 'name'), { recursive: true })
      const theirs = [join(behind, '3'), join(behind, 'name', '3')]
      for (const path of theirs) writeFileSync(path, 'theirs')
      const folder = join(root, 'lock')
      if (which === 'the folder') symlinkSync(behind, folder)
      else {
        mkdirSync(folder)
        symlinkSync(join(behind, 'name'), join(folder, 'name'))
      }
      await expect(soon(folder).run('name', async () => {}, patience)).rejects.toMatchObject({
        code: 'ERR_STORAGE',
        message: expect.stringContaining('link'),
      })
      for (const path of theirs) expect(readFileSync(path, 'utf8')).toBe('theirs')
      expect(readdirSync(join(behind, 'name'))).toEqual(['3'])
    },
  )

  test('that is a file is an error that names it [F5.3]', async () => {
    const folder = join(tempFolder(), 'lock')
    writeFileSync(folder, '')
    await expect(soon(folder).run('name', async () => {}, patience)).rejects.toMatchObject({
      code: 'ERR_STORAGE',
      message: expect.stringContaining(folder),
    })
  })

  test('keeps nothing that killed processes have left in it but the last lock [F5.4]', async () => {
    const folder = tempFolder()
    const directory = join(folder, 'name')
    mkdirSync(directory)
    for (const name of ['3.0b9a.new', '3.17.free', '2.1.free']) writeFileSync(join(directory, name), '{}')
    writeFileSync(join(directory, '5'), JSON.stringify({ ...thisProcess(), free: true }))
    await soon(folder).run('name', async () => {}, patience)
    expect(readdirSync(directory).sort()).toEqual(['5', '6'])
  })

  test.runIf(canMount)('lets go of a lock also on a full disk [F5.3]', async () => {
    const { path } = disk(256)
    const lock = fileLock(join(path, 'lock'), deviceClock)
    await lock.run(
      'name',
      async () => {
        expect(() => writeFileSync(join(path, 'filler'), Buffer.alloc(2 ** 20))).toThrow('ENOSPC')
      },
      patience,
    )
    truncateSync(join(path, 'filler'), 2 ** 16)
    // another process than the one that let go, which might know
    const holder = start('hold-lock', join(path, 'lock'), 'name')
    await holder.says('held')
    expect(existsSync(join(path, 'lock', 'name'))).toBe(true)
  })

  test.runIf(canMount)(
    'is an error that says what to look at where nothing can be written [F5.3]',
    async () => {
      const readOnly = disk(256)
      const [full, never] = [disk(64), readOnly]
      expect(() => writeFileSync(join(full.path, 'filler'), Buffer.alloc(2 ** 20))).toThrow('ENOSPC')
      never.makeReadOnly()
      for (const { path } of [full, never]) {
        await expect(soon(join(path, 'lock')).run('name', async () => {}, patience)).rejects.toMatchObject({
          code: 'ERR_STORAGE',
          message: expect.stringContaining('Check that its folder may be written'),
        })
      }
    },
  )
})
