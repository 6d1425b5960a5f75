import { expect, test } from 'vitest'
import { createRedemption } from '../../../src/authorization/redemption.ts'
import { createSessionWrites } from '../../../src/authorization/session-writes.ts'
import type { SessionRecord } from '../../../src/core/session.ts'
import { createTokenStore } from '../../../src/session/token-store.ts'
import { memoryKeyValue } from '../../../src/storage/memory.ts'

test('a holder that was frozen until its time was over leaves the mark of the client that refreshes instead', async () => {
  let time = 1_000_000
  // after a freeze, its timers may fire later than the store answers
  const clock = { now: () => time, after: () => () => {} }
  const record: SessionRecord = {
    ...{ schema: 1, sessionId: 'session-1', version: 1 },
    tokens: { accessToken: 'access-1', refreshToken: 'refresh-1', scope: 'read', expiresAt: clock.now() - 1 },
  }
  const place = memoryKeyValue()
  await place.update('session', () => record)

  const mark = { tokenHash: 'hash of refresh-1', sentAt: clock.now() + 13_000 }
  const get = async (key: string) => {
    time += 14_000
    await place.update('session', () => ({ ...record, pending: mark }))
    return place.get(key)
  }
  const frozen = createTokenStore({ ...place, get }, 'session')
  let sent = 0
  const redeem = createRedemption({
    ...{ records: frozen, writes: createSessionWrites(frozen, () => {}), clock, now: clock.now },
    lock: { run: (_name, work) => work() },
    ...{ prefix: 'app', realm: 'here', random: () => 0.5, changed() {}, adopted() {}, revoke() {} },
    hash: async token => `hash of ${token}`,
    async redeem() {
      sent++
      throw new Error('not expected')
    },
  })
  expect(await redeem({ record, resource: undefined, wokeAt: 0 } as never)).toMatchObject({
    type: 'failed',
    error: { code: 'ERR_NETWORK' },
  })
  expect(sent).toBe(0)
  expect(await place.get('session')).toMatchObject({ pending: mark })
})
