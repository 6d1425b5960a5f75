import { expect, test } from 'vitest'
import { redisStorm } from '../soak/redis-storm.ts'
import { findRedisServer } from '../support/redis-server.ts'

// without it there is no such test, rather than a skipped one
const whereFound = findRedisServer() ? test : () => {}

test('a machine without Redis runs the other tests of the store', () => {
  expect(findRedisServer() ?? 'none').toBeTruthy()
})

whereFound(
  'processes that share sessions over Redis redeem each refresh token once, while some are killed and Redis pauses',
  async () => {
    const result = await redisStorm({
      ...{ processes: 4, sessions: 30, seconds: 12, accessTokenSeconds: 2 },
      ...{ killEveryMs: 3000, stopEveryMs: 0, stopForMs: 0, pauseEveryMs: 4000 },
    })
    expect(result.rotations).toBeGreaterThan(30)
    expect(result.calls[200]).toBeGreaterThan(10)
    expect(result.reuses).toBe(result.inevitable)
    expect(result.familiesLost).toBe(result.inevitable)
    const odd = Object.keys(result.calls).filter(
      what => !/^(200|ERR_(STORAGE|LOCK_TIMEOUT|NETWORK) retryable)$/.test(what),
    )
    expect(result.inevitable ? [] : odd).toEqual([])
  },
  90_000,
)
