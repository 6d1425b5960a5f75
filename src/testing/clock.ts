import type { Clock, EpochMs } from '../extending.ts'

/** A clock that the test moves. Pass it to the client and to the server as `clock`. */
export interface HandClock extends Clock {
  /** Moves the clock forward by `ms` milliseconds. Runs the timers that come due, in order and at their time. */
  advance(ms: number): void
  /** The number of pending timers. */
  readonly waiting: number
}

/** Options of `handClock()`. */
export interface HandClockOptions {
  /** The initial time, in milliseconds since 1970. Default: the device's time. */
  startAt?: EpochMs
  /**
   * Timers of at most this many milliseconds fire automatically in the next turn of the event loop and move the clock. Use
   * it for the short pauses of a retry or a poll. 0 or more. Default 0: only timers of 0 ms fire automatically.
   */
  skipUpToMs?: number
}

interface Timer {
  readonly at: EpochMs
  readonly run: () => void
}

/**
 * Creates a clock that stands still until the test moves it.
 * @param options.startAt the initial time, in milliseconds since 1970. Default: the device's time.
 * @param options.skipUpToMs timers of at most this many milliseconds fire automatically. Default 0.
 */
export function handClock({ startAt = Date.now(), skipUpToMs = 0 }: HandClockOptions = {}): HandClock {
  let now = startAt
  const timers = new Set<Timer>()

  const moveTo = (end: EpochMs) => {
    for (;;) {
      const next = [...timers].sort((a, b) => a.at - b.at)[0]
      if (!next || next.at > end) break
      timers.delete(next)
      now = Math.max(now, next.at)
      next.run()
    }
    now = Math.max(now, end)
  }

  return {
    now: () => now,
    elapsed: () => now - startAt,
    after(ms, run) {
      const timer: Timer = { at: now + Math.max(0, ms), run }
      timers.add(timer)
      if (ms <= skipUpToMs) {
        setTimeout(() => {
          if (timers.has(timer)) moveTo(timer.at)
        }, 0)
      }
      return () => void timers.delete(timer)
    },
    advance: ms => moveTo(now + ms),
    get waiting() {
      return timers.size
    },
  }
}

/** The device's clock, the default of the test server. */
export const deviceClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
