import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { LockTimeoutError } from '../../src/errors.ts'
import { fileLock } from '../../src/lock/file.ts'
import { deviceClock } from '../../src/platform/device.ts'
import { children } from '../support/child.ts'
import { tempFolders } from '../support/temp-folder.ts'

const tempFolder = tempFolders()
const start = children()

describe('the file lock between processes', () => {
  test('a lock that another process holds cannot be acquired until it is released', async () => {
    const folder = tempFolder()
    const lock = fileLock(folder, deviceClock)
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    await expect(lock.run('name', async () => {}, 200)).rejects.toBeInstanceOf(LockTimeoutError)
    expect(await lock.run('other name', async () => 'free', 200)).toBe('free')
    const next = lock.run('name', async () => holder.lines(), 10_000)
    holder.process.stdin?.write('let go\n')
    await next
    expect(await holder.ended).toBe(0)
  })

  test('the lock of a killed process is taken over within a second', async () => {
    const folder = tempFolder()
    const lock = fileLock(folder, deviceClock)
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    holder.kill('SIGKILL')
    await holder.ended
    expect(await lock.run('name', async () => 'taken over', 1000)).toBe('taken over')
  })

  test('a frozen process keeps its lock until it is stale, and does no harm when it thaws [RF08]', async () => {
    const folder = tempFolder()
    const hurried = () => performance.now() * 20 // watches a whole lease in less time
    const holder = start('hold-lock', folder, 'name')
    await holder.says('held')
    holder.kill('SIGSTOP')
    await expect(fileLock(folder, deviceClock).run('name', async () => {}, 200)).rejects.toBeInstanceOf(
      LockTimeoutError,
    )

    let release = () => {}
    const released = new Promise<void>(resolve => {
      release = resolve
    })
    let entered = false
    const next = fileLock(folder, deviceClock, hurried).run(
      'name',
      () => {
        entered = true
        return released
      },
      40_000,
    )
    await expect.poll(() => entered, { timeout: 10_000 }).toBe(true)

    // thawed, it releases a lock that it no longer owns: this must not let another process in
    holder.process.stdin?.write('let go\n')
    holder.kill('SIGCONT')
    expect(await holder.ended).toBe(0)
    await expect(fileLock(folder, deviceClock).run('name', async () => {}, 200)).rejects.toBeInstanceOf(
      LockTimeoutError,
    )
    release()
    await next
    expect(await fileLock(folder, deviceClock).run('name', async () => 'free', 1000)).toBe('free')
  })

  test('six processes that are killed at random lose no increment and never hold the lock together', {
    timeout: 90_000,
  }, async () => {
    const folder = tempFolder()
    const times = 30
    const all = Array.from({ length: 6 }, () => start('count-under-lock', folder, String(times)))
    const killed = all.slice(0, 3)
    const added = (child: (typeof all)[number]) => child.lines().filter(line => line === 'added').length

    // each at another point of its work
    for (const [index, child] of killed.entries()) {
      await vi.waitFor(() => expect(added(child)).toBeGreaterThan(index * 4 + 2), {
        timeout: 60_000,
        interval: 1,
      })
      child.kill('SIGKILL')
      await child.ended
    }
    expect(await Promise.all(all.slice(3).map(child => child.ended))).toEqual([0, 0, 0])

    const dead = killed.map(({ pid }) => `met ${pid}`)
    const met = all.flatMap(child => child.lines()).filter(line => line.startsWith('met '))
    // a process found inside had been killed there
    expect(met.filter(line => !dead.includes(line))).toEqual([])
    const told = all.reduce((sum, child) => sum + added(child), 0)
    const counted = Number(readFileSync(join(folder, 'counter'), 'utf8'))
    // a process killed between its write and its message has added without reporting it
    expect(counted).toBeGreaterThanOrEqual(told)
    expect(counted).toBeLessThanOrEqual(told + killed.length)
    expect(told).toBeGreaterThanOrEqual(3 * times)
  })
})
