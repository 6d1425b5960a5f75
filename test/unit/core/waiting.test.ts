import { describe, expect, test } from 'vitest'
import { pause } from '../../../src/core/back-off.ts'
import { abortable, withTimeLimit } from '../../../src/core/waiting.ts'
import { handClock } from '../../support/clock.ts'

const late = () => new RangeError('late')
const never = new Promise<never>(() => {})

describe('work with a time limit', () => {
  test('passes on its result and its rejection, and leaves no timer', async () => {
    const clock = handClock()
    expect(await withTimeLimit(clock, 10, async () => 'result', late)).toBe('result')
    const failure = new Error('mine')
    await expect(withTimeLimit(clock, 10, () => Promise.reject(failure), late)).rejects.toBe(failure)
    expect(clock.waiting).toBe(0)
  })

  test('rejects at its limit, not before, and its signal is aborted with the same reason', async () => {
    const clock = handClock()
    let signal: AbortSignal | undefined
    const limited = withTimeLimit(
      clock,
      10,
      own => {
        signal = own
        return never
      },
      late,
    )
    const outcome = limited.catch((error: unknown) => error)
    clock.advance(9)
    expect(signal?.aborted).toBe(false)
    clock.advance(1)
    expect(await outcome).toBeInstanceOf(RangeError)
    expect(signal?.aborted).toBe(true)
    expect(signal?.reason).toBe(await outcome)
  })

  test('rejects if the work throws before it returns a promise', async () => {
    const thrower = () => {
      throw new TypeError('at once')
    }
    await expect(withTimeLimit(handClock(), 10, thrower, late)).rejects.toThrow(TypeError)
  })

  test('silently drops results after the limit', async () => {
    const clock = handClock()
    let fail: (error: Error) => void = () => {}
    const work = new Promise<never>((_, reject) => {
      fail = reject
    })
    const limited = withTimeLimit(clock, 10, () => work, late).catch((error: unknown) => error)
    clock.advance(10)
    fail(new Error('too late to matter'))
    expect(await limited).toBeInstanceOf(RangeError)
  })
})

describe('a pause', () => {
  test('ends at its time', async () => {
    const clock = handClock()
    const paused = pause(clock, 10).then(() => clock.now())
    const begun = clock.now()
    clock.advance(25)
    expect(await paused).toBe(begun + 25)
  })

  test('ends with the reason when it is aborted, and leaves no timer', async () => {
    const clock = handClock()
    const controller = new AbortController()
    const paused = pause(clock, 10, controller.signal)
    controller.abort(new Error('enough'))
    await expect(paused).rejects.toThrow('enough')
    expect(clock.waiting).toBe(0)
  })

  test('does not start if already aborted', async () => {
    const clock = handClock({ skipUpToMs: 10 })
    await expect(pause(clock, 10, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
    expect(clock.waiting).toBe(0)
  })
})

describe('a shared promise', () => {
  test('is the same for a caller without a signal', async () => {
    const shared = Promise.resolve('result')
    expect(abortable(shared, undefined)).toBe(shared)
    expect(abortable(shared, null)).toBe(shared)
  })

  test('is abandoned only for the caller that aborts', async () => {
    let settle: (value: string) => void = () => {}
    const shared = new Promise<string>(resolve => {
      settle = resolve
    })
    const [one, other] = [new AbortController(), new AbortController()]
    const impatient = abortable(shared, one.signal)
    const patient = abortable(shared, other.signal)
    one.abort(new Error('enough'))
    await expect(impatient).rejects.toThrow('enough')
    settle('result')
    expect(await patient).toBe('result')
    other.abort() // afterwards it changes nothing
    expect(await patient).toBe('result')
  })

  test('that fails after a caller had already aborted causes no unhandled rejection', async () => {
    let fail: (error: Error) => void = () => {}
    const shared = new Promise<string>((_, reject) => {
      fail = reject
    })
    const aborted = abortable(shared, AbortSignal.abort(new Error('enough')))
    await expect(aborted).rejects.toThrow('enough')
    fail(new Error('nobody waits for this')) // vitest fails the run for an unhandled rejection
    await new Promise(resolve => setTimeout(resolve, 0))
  })
})
