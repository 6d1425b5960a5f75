import { expect, test } from 'vitest'
import { createSessionWrites } from '../../../src/authorization/session-writes.ts'
import { createRotations } from '../../../src/authorization/unsaved-rotation.ts'
import type { SessionRecord } from '../../../src/core/session.ts'
import { StorageError } from '../../../src/errors.ts'
import { localLock } from '../../../src/lock/local.ts'
import { createTokenStore } from '../../../src/session/token-store.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { handClock } from '../../support/clock.ts'
import { turn } from '../../support/gate.ts'

const recordOf = (sessionId: string, version: number): SessionRecord => ({
  ...{ schema: 1, sessionId, version },
  tokens: { accessToken: `access-${version}`, refreshToken: `refresh-${version}`, scope: 'read' },
})

/** A client whose writes of one session fail. */
function openRotations(place: ReturnType<typeof memoryKeyValue>, lock: ReturnType<typeof localLock>) {
  const clock = handClock({ skipUpToMs: 400 })
  const full = { ...place, update: () => Promise.reject(new StorageError('the disk is full')) }
  const records = createTokenStore(full, 'session')
  const hold = { signal: () => new AbortController().signal, remainingMs: () => 1000, page: undefined }
  const rotations = createRotations({
    ...{ records, writes: createSessionWrites(records, () => {}), lock, prefix: 'app', clock },
    ...{ changed() {}, adopted() {} },
  })
  return { records, rotations, hold }
}

test('a client that waits to announce its own rotation still hears of the rotation of another client', async () => {
  const place = memoryKeyValue()
  const lock = localLock(handClock())
  const [first, second] = [recordOf('first', 1), recordOf('second', 1)]

  // this one has a rotation of a session that has been replaced in the store
  const waiting = openRotations(place, lock)
  await place.update('session', () => first)
  await waiting.records.read()

  // the other one announces its rotation of the session that the store holds now
  await place.update('session', () => second)
  const announcing = openRotations(place, lock)
  await announcing.records.read()
  expect(await announcing.rotations.store(recordOf('second', 2), second, announcing.hold)).toMatchObject({
    type: 'rotated',
  })
  expect(await waiting.rotations.isUnsavedElsewhere()).toBe(true)

  void waiting.rotations.store(recordOf('first', 2), first, waiting.hold)
  await expect.poll(() => waiting.records.unsaved).toBeDefined()
  await waiting.records.read() // finds the session of the store
  await turn()
  expect(waiting.records.unsaved).toBeUndefined()
  expect(await waiting.rotations.isUnsavedElsewhere()).toBe(true)
})
