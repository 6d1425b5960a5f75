import type { Clock, EpochMs } from '../../src/core/ports.ts'

/** A clock moved by hand. */
export interface HandClock extends Clock {
  /** Lets time pass; timers that are due on the way run in their order, at their time. */
  advance(ms: number): void
  /** How many timers wait. */
  readonly waiting: number
}

export interface HandClockOptions {
  /** Default: the device's time when the clock is made. */
  startAt?: EpochMs
  /**
   * Timers up to this long pass by themselves in the next turn of the event loop, and move the clock: for the short
   * pauses of a retry or a poll. Default 0: none does.
   */
  skipUpToMs?: number
}

interface Timer {
  readonly at: EpochMs
  readonly run: () => void
}

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
