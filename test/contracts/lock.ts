import { describe, expect, test } from 'vitest'
import type { Lock } from '../../src/core/ports.ts'
import { LockTimeoutError } from '../../src/errors.ts'
import { gate, turn } from '../support/gate.ts'

export interface LockSubject {
  /** A new, unused lock. */
  create(): Lock | Promise<Lock>
  /** A second instance that must exclude the latest one from `create`, if possible. */
  again?: () => Lock | Promise<Lock>
}

/** Longer than any test here waits for a lock that it gets. */
const PATIENCE_MS = 15_000

/** Counts the holders of the lock. */
function room() {
  let inside = 0
  const seen = { most: 0, visits: 0 }
  const visit = async () => {
    seen.visits++
    seen.most = Math.max(seen.most, ++inside)
    await turn()
    inside--
  }
  return { seen, visit }
}

/** Requirements for every Lock. */
export function lockContract(name: string, { create, again }: LockSubject): void {
  describe(`${name} as a Lock`, () => {
    test('twenty callers each get the lock, and never two at once', async () => {
      const lock = await create()
      const { seen, visit } = room()
      await Promise.all(Array.from({ length: 20 }, () => lock.run('name', visit, PATIENCE_MS)))
      expect(seen).toEqual({ most: 1, visits: 20 })
    })

    test('returns the result of the work', async () => {
      const lock = await create()
      expect(await lock.run('name', async () => 'result', PATIENCE_MS)).toBe('result')
    })

    test('rejects with the error of the work, and releases the lock', async () => {
      const lock = await create()
      const failure = new RangeError('mine')
      const failed = lock.run('name', () => Promise.reject(failure), PATIENCE_MS)
      await expect(failed).rejects.toBe(failure)
      expect(await lock.run('name', async () => 'next', PATIENCE_MS)).toBe('next')
    })

    test('separate names do not wait for each other', async () => {
      const lock = await create()
      const { open, opened } = gate()
      const holder = lock.run('one', () => opened, PATIENCE_MS)
      expect(await lock.run('another', async () => 'free', PATIENCE_MS)).toBe('free')
      open()
      await holder
    })

    test('names may contain any characters', async () => {
      const lock = await create()
      const { open, opened } = gate()
      const odd = 'latchkey https://id.example.com/a?b%2F..\\ "c" -x'
      const holder = lock.run(odd, () => opened, PATIENCE_MS)
      expect(await lock.run(`${odd}.`, async () => 'free', PATIENCE_MS)).toBe('free')
      open()
      await holder
    })

    test('a caller that has waited long enough gives up, and its work does not run later', async () => {
      const lock = await create()
      const { open, opened } = gate()
      const began = gate()
      let ran = false
      const holder = lock.run(
        'name',
        () => {
          began.open()
          return opened
        },
        PATIENCE_MS,
      )
      await began.opened
      const late = lock.run(
        'name',
        async () => {
          ran = true
        },
        100,
      )
      const error = await late.catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(LockTimeoutError)
      expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', retryable: true })
      open()
      await holder
      await lock.run('name', async () => {}, PATIENCE_MS)
      await turn()
      expect(ran).toBe(false)
    })

    test('a caller that gave up does not block the other waiting callers', async () => {
      const lock = await create()
      const { open, opened } = gate()
      const began = gate()
      const holder = lock.run(
        'name',
        () => {
          began.open()
          return opened
        },
        PATIENCE_MS,
      )
      await began.opened
      const impatient = lock.run('name', async () => 'never', 50)
      const patient = lock.run('name', async () => 'at last', PATIENCE_MS)
      await expect(impatient).rejects.toBeInstanceOf(LockTimeoutError)
      open()
      await holder
      expect(await patient).toBe('at last')
    })

    if (again) {
      test('a second instance over the same place excludes the first', async () => {
        const locks = [await create(), await again()]
        const { seen, visit } = room()
        const runs = Array.from({ length: 10 }, () => locks.map(lock => lock.run('name', visit, PATIENCE_MS)))
        await Promise.all(runs.flat())
        expect(seen).toEqual({ most: 1, visits: 20 })
      })

      test('a second instance gives up while the first never releases the lock', async () => {
        const lock = await create()
        const other = await again()
        const { open, opened } = gate()
        const began = gate()
        const holder = lock.run(
          'name',
          () => {
            began.open()
            return opened
          },
          PATIENCE_MS,
        )
        await began.opened
        await expect(other.run('name', async () => {}, 100)).rejects.toBeInstanceOf(LockTimeoutError)
        open()
        await holder
        expect(await other.run('name', async () => 'free', PATIENCE_MS)).toBe('free')
      })
    }
  })
}
