import type { Clock } from '../core/ports.ts'

/** The longest delay a timer can hold; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1

/** This device's own time. */
export const deviceClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, run, background) {
    const timer: unknown = setTimeout(run, Math.min(Math.max(ms, 0), LONGEST_MS))
    if (background) (timer as { unref?: () => void }).unref?.()
    return () => clearTimeout(timer as number)
  },
}
