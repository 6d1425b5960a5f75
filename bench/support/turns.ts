/** Measures several ways to do the same by turns: on Node and in a page. */

export interface Way {
  /** What has to be there before, and is not measured. */
  prepare?(): Promise<unknown>
  run(): Promise<unknown>
  /** Cleans up, and is not measured. */
  after?(): void
}

/** In ms, by the name of the way. */
export type Times = Readonly<Record<string, readonly number[]>>

export const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

export function shuffled<T>(values: Iterable<T>): T[] {
  const rest = [...values]
  const order: T[] = []
  while (rest.length > 0) order.push(...rest.splice(Math.floor(Math.random() * rest.length), 1))
  return order
}

/**
 * Every way once in each round, in an order of its own each time, so that nobody always comes after the same neighbour.
 * @param leastPauseMs before each; up to twice as long.
 */
export async function byTurns(
  ways: Readonly<Record<string, Way>>,
  rounds: number,
  leastPauseMs: number,
): Promise<Times> {
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map(name => [name, []]))
  const warmUp = Math.min(10, rounds)
  for (let round = -warmUp; round < rounds; round++) {
    for (const [name, way] of shuffled(Object.entries(ways))) {
      await way.prepare?.()
      await pause(leastPauseMs * (1 + Math.random()))
      const begun = performance.now()
      await way.run()
      if (round >= 0) times[name]?.push(performance.now() - begun)
      way.after?.()
    }
  }
  return times
}
