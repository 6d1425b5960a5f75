import { expect, test } from 'vitest'
import type { Authorization } from '../../../src/core/authorization.ts'
import type { SessionRecord } from '../../../src/core/session.ts'
import { createTokenStore } from '../../../src/session/token-store.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'
import { deviceClock } from '../../../src/testing/clock.ts'
import { createHostWork } from '../../../src/worker/host-work.ts'

const record = (sessionId: string): SessionRecord => ({
  schema: 1,
  sessionId,
  version: 1,
  epoch: 0,
  tokens: { accessToken: `access of ${sessionId}`, refreshToken: `refresh of ${sessionId}`, scope: 'read' },
})

/** A worker over a store with one session. `steps` has what it did, in order. */
async function workerWith(sessionId: string) {
  const place = memoryKeyValue()
  const page = createTokenStore(place, 'session')
  await page.update(() => record(sessionId))
  const steps: string[] = []
  const taken = () => void steps.push('taken')
  const signOut: Authorization['signOut'] = async (_request, ended) => {
    steps.push(`revokes ${ended?.tokens.refreshToken}`)
  }
  const worker = createHostWork({
    records: createTokenStore(place, 'session'),
    clock: deviceClock,
    start: async () => {},
    changed: id => void steps.push(`reports ${id}`),
    authorization: async () => ({ refresh: async () => {}, signOut }),
    hash: async text => text,
  })
  return { page, worker, steps, taken }
}

test('a worker whose page has closed ends the session and revokes its tokens', async () => {
  const { page, worker, steps, taken } = await workerWith('one')
  await worker.signOut('one', taken)
  expect(steps).toEqual(['taken', 'reports one', 'revokes refresh of one'])
  expect(await page.read()).toMatchObject({ ended: 'signed_out', sessionId: 'one' })
})

test('a worker revokes the tokens of a session that its page removes meanwhile', async () => {
  const { page, worker, steps } = await workerWith('one')
  let removed: Promise<unknown> | undefined
  await worker.signOut('one', () => {
    removed = page.end('signed_out')
  })
  await removed
  expect(steps).toEqual(['revokes refresh of one'])
  expect(await page.read()).toMatchObject({ ended: 'signed_out', sessionId: 'one' })
})

test('a worker does nothing for a session that the store does not hold', async () => {
  const { page, worker, steps, taken } = await workerWith('of the next user')
  await worker.signOut('one', taken)
  expect(steps).toEqual([])
  expect(await page.read()).toEqual(record('of the next user'))
})
