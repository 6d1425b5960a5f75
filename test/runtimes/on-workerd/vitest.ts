// Stands in for `vitest` in workerd: its runner and its matchers run there, its pools and reporters do not.
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  customMatchers,
  type ExpectStatic,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect'
import { getCurrentTest } from '@vitest/runner'

export {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  it,
  onTestFailed,
  onTestFinished,
  test,
} from '@vitest/runner'

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)

interface Patience {
  readonly timeout?: number
  readonly interval?: number
}

/** Calls `work` until it does not throw, and rejects with its last error when the time has passed. */
async function until<T>(
  work: () => T | Promise<T>,
  { timeout = 10_000, interval = 50 }: Patience = {},
): Promise<T> {
  const end = performance.now() + timeout
  for (let pause = 0; ; pause = interval) {
    await new Promise(resolve => setTimeout(resolve, pause))
    const isLast = performance.now() >= end
    try {
      return await work()
    } catch (error) {
      if (isLast) throw error
    }
  }
}

type Assertion = Record<string, (...args: unknown[]) => unknown>

function check(value: unknown, message?: string): Assertion {
  const assertion = chai.expect(value, message) as unknown as Assertion
  const test = getCurrentTest()
  return (test ? assertion.withTest?.(test) : assertion) as Assertion
}

/** Repeats everything after `expect.poll(…)`, such as `.not.toBe(1)`, with each value that `read` returns. */
const poll = (read: () => unknown, patience?: Patience) => {
  const chain = (names: readonly string[]): unknown =>
    new Proxy(() => {}, {
      get: (_, name: string) => chain([...names, name]),
      apply: (_, _this, args: unknown[]) =>
        until(async () => {
          const start = check(await read()) as unknown
          const assertion = names.slice(0, -1).reduce((found, name) => (found as never)[name], start)
          return (assertion as Assertion)[names.at(-1) as string]?.(...args)
        }, patience),
    })
  return chain([])
}

const asymmetric = (globalThis as Record<symbol, object>)[ASYMMETRIC_MATCHERS_OBJECT as unknown as symbol]

export const expect = Object.assign(check, chai.expect, asymmetric, { poll }) as unknown as ExpectStatic
;(chai.expect as unknown as { extend(...args: unknown[]): void }).extend(expect, customMatchers)

/** The compiler checks types. */
export const expectTypeOf = () => ({ toEqualTypeOf() {} })

export const vi = { waitFor: until }
