import type { Random } from '../simulation/scheduler.ts'
import { isCleanFleet, type RedisStormOptions, redisStorm } from './redis-storm.ts'

/** Runs a fleet over a real Redis with all kinds of faults and prints the result. @returns whether it is correct. */
export async function runFleet(
  random: Random,
  size: Pick<RedisStormOptions, 'processes' | 'sessions' | 'seconds'>,
): Promise<boolean> {
  const say = (line: string) => void process.stdout.write(`${line}\n`)
  const result = await redisStorm({
    ...{ ...size, random, say, accessTokenSeconds: 5 },
    ...{ killEveryMs: 2500, stopEveryMs: 3000, pauseEveryMs: 7000 },
    pair: { restartEveryMs: 15_000, failOverEveryMs: 20_000 },
  })
  const { calls, stuck, ...row } = result
  console.table([row])
  console.table([calls])
  for (const one of stuck) say(`stuck: ${one}`)
  return isCleanFleet(result)
}
