import type { Clock, EpochMs } from '../extending.ts'

/** A clock that the test moves. Pass it to the client and to the server as `clock`. */
export interface HandClock extends Clock {
  /** Lets `ms` milliseconds pass. Timers that are due on the way run in their order, at their time. */
  advance(ms: number): void
  /** How many timers wait. */
  readonly waiting: number
}

/** Options of `handClock()`. */
export interface HandClockOptions {
  /** The time at the beginning, in ms since 1970. Default: the device's time. */
  startAt?: EpochMs
  /**
   * Timers of at most this many milliseconds pass by themselves in the next turn of the event loop, and move the clock: for
   * the short pauses of a retry or a poll. 0 or more. Default 0: none passes by itself.
   */
  skipUpToMs?: number
}

interface Timer {
  readonly at: EpochMs
  readonly run: () => void
}

/**
 * Creates a clock that stands still until the test moves it.
 * @param options.startAt the time at the beginning, in ms since 1970. Default: the device's time.
 * @param options.skipUpToMs timers of at most this many milliseconds pass by themselves. Default 0.
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

/** The device's own clock, for a server that nobody gives another. */
export const deviceClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
