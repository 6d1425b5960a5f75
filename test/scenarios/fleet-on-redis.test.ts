import { expect, test } from 'vitest'
import { createRandom } from '../simulation/scheduler.ts'
import { isCleanFleet, redisStorm } from '../soak/redis-storm.ts'
import { findRedisServer, hasService } from '../support/services.ts'

// on a machine without Redis the test does not exist, instead of being skipped
const whereFound = hasService('Redis') ? test : () => {}

test('a machine without Redis runs the other tests of the store', () => {
  expect(hasService('Redis')).toBe(findRedisServer() !== undefined)
})

whereFound(
  'processes that share sessions over Redis redeem each refresh token once, while some are killed and Redis pauses',
  async () => {
    const seed = Date.now() % 2 ** 32
    console.log(`fleet on Redis: seed ${seed}`)
    const result = await redisStorm({
      ...{ random: createRandom(seed), processes: 4, sessions: 30, seconds: 10, accessTokenSeconds: 2 },
      ...{ killEveryMs: 3000, stopEveryMs: 0, pauseEveryMs: 4000 },
    })
    expect(result.rotations).toBeGreaterThan(30)
    expect(result.calls[200], JSON.stringify(result)).toBeGreaterThan(10)
    expect(isCleanFleet(result), JSON.stringify(result)).toBe(true)
    const lost = result.lostWithAnswer + result.lostByFailover + result.lostUnstored
    expect(result.presented, JSON.stringify(result)).toBe(result.rotations + lost)
    // 401: on a busy machine, tokens of 2 s end on their way to the API, also that of the one replay
    const odd = Object.keys(result.calls).filter(
      what => !/^(200|401|ERR_(STORAGE|LOCK_TIMEOUT|NETWORK) retryable)$/.test(what),
    )
    expect(lost ? [] : odd, JSON.stringify(result)).toEqual([])
    expect(result.calls[401] ?? 0, JSON.stringify(result)).toBeLessThan(result.calls[200] as number)
  },
  90_000,
)
