import type { Clock, Environment, Fetch } from '../core/ports.ts'

/** The longest delay of a timer; a longer one would fire immediately. */
const LONGEST_MS = 2 ** 31 - 1

/** The device's clock and timers. */
export const deviceClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, run, background) {
    const timer: unknown = setTimeout(run, Math.min(Math.max(ms, 0), LONGEST_MS))
    if (background) (timer as { unref?: () => void }).unref?.()
    return () => clearTimeout(timer as number)
  },
}

/** The parts that all environments have in common. */
export const device: Pick<Environment, 'fetch' | 'clock' | 'logger'> = {
  /** The global `fetch` when a client is created: the app may replace `globalThis.fetch` with `client.fetch` later. */
  get fetch(): Fetch {
    const known = globalThis.fetch
    return (...args) => (known ?? globalThis.fetch)(...args)
  },
  clock: deviceClock,
  logger: { warn: message => console.warn(message) },
}
