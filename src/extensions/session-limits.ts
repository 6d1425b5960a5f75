import type { Extension, ExtensionContext, ExtensionHooks } from '../core/extension.ts'
import { createListeners } from '../core/listeners.ts'
import type { Clock, EpochMs } from '../core/ports.ts'
import { ConfigurationError } from '../errors.ts'

/** Options of `sessionLimits()`. Set at least one of the first two. */
export interface SessionLimitsOptions {
  /** How many seconds after its sign-in a session ends, even if the user is active. More than 0. Default: no such limit. */
  maxSessionSeconds?: number
  /** After how many seconds without activity in any tab a session ends. More than 0. Default: no such limit. */
  maxIdleSeconds?: number
  /** How many seconds before the end `ending` announces it. 0 or more. Default 60. */
  warnSeconds?: number
  /**
   * Watches the user, and calls `active` when the user does something. It returns a function that stops it. Default: watches
   * pointer, keys, wheel and touch in a page; nothing without a page.
   */
  watch?: (active: () => void) => () => void
}

/** The announced end of a session. */
export interface SessionEnding {
  readonly reason: 'session_limit' | 'idle_limit'
  /** When the session ends, in ms since 1970. */
  readonly endsAt: EpochMs
}

/** An extension for one client, with the announced end for the page to show. */
export interface SessionLimits extends Extension {
  /** The announced end, or `undefined`: the same object until something changes. */
  readonly ending: SessionEnding | undefined
  /**
   * Calls `listener` at every change of `ending`.
   * @returns a function that stops it.
   */
  subscribe(listener: (ending: SessionEnding | undefined) => void): () => void
  /** Reports that the user is active. Call it for a button "Stay signed in", and for activity that `watch` does not see. */
  active(): void
}

/** The stored record of a session's use, which all clients of the store share. */
interface Usage {
  readonly schema: 1
  readonly sessionId: string
  readonly startedAt: EpochMs
  /** The age of the session when this record was written: a lower limit if the clock is set back afterwards. */
  readonly ageMs: number
  readonly activeAt: EpochMs
}

/** Shortly before the end, how often to check whether the user is active in another tab. */
const POLL_MS = 2000
/** The longest time until activity is stored. It is shorter for a short limit. */
const SAVE_MS = 15_000
/** The longest timer. Timers of more than 24 days fire immediately, and a machine may sleep during a long one. */
const LONGEST_MS = 3_600_000

const isUsage = (stored: unknown, sessionId: string): stored is Usage => {
  const usage = stored as Partial<Usage> | null | undefined
  const times = [usage?.startedAt, usage?.ageMs, usage?.activeAt]
  return usage?.schema === 1 && usage.sessionId === sessionId && times.every(Number.isFinite)
}

function parseSeconds(name: string, seconds: number | undefined, least: number): number {
  if (seconds === undefined) return Infinity
  if (Number.isFinite(seconds) && seconds >= 0 && (seconds > 0 || least === 0)) return seconds * 1000
  const right = least ? 'a number of seconds, more than 0' : '0 or more (default 60)'
  throw new ConfigurationError(
    `"${name}" must be ${right}; got ${JSON.stringify(seconds) ?? typeof seconds}.`,
  )
}

/** Measures elapsed ms with two clocks and returns the longer time: one may be set back, the other may stop during sleep. */
function stopwatch(clock: Clock): () => number {
  const elapsed = () => clock.elapsed?.() ?? 0
  const [from, since] = [clock.now(), elapsed()]
  return () => Math.max(clock.now() - from, elapsed() - since, 0)
}

/** The age and the idle time of a session, as this client knows them. */
class Count {
  readonly sessionId: string
  readonly #clock: Clock
  #passed: () => number
  #ageMs: number
  #idleMs: number
  #usage: Usage

  constructor(usage: Usage, clock: Clock) {
    this.sessionId = usage.sessionId
    this.#clock = clock
    this.#usage = usage
    this.#passed = stopwatch(clock)
    this.#ageMs = Math.max(clock.now() - usage.startedAt, usage.ageMs)
    this.#idleMs = Math.max(clock.now() - usage.activeAt, 0)
  }

  get ageMs(): number {
    return this.#ageMs + this.#passed()
  }

  get idleMs(): number {
    return this.#idleMs + this.#passed()
  }

  #set(ageMs: number, idleMs: number): void {
    this.#passed = stopwatch(this.#clock)
    this.#ageMs = ageMs
    this.#idleMs = idleMs
  }

  /** Resets the idle time, because the user is active in this client. */
  active(): void {
    this.#set(this.ageMs, 0)
  }

  /** Updates the count from the stored record, which another client may have written. */
  learn(usage: Usage): void {
    const now = this.#clock.now()
    const ageMs = Math.max(this.ageMs, now - usage.startedAt, usage.ageMs)
    // only a new time is compared with the clock; a known one has been counted since then
    const hasNewActivity = usage.activeAt !== this.#usage.activeAt
    const idleMs = hasNewActivity ? Math.min(this.idleMs, Math.max(now - usage.activeAt, 0)) : this.idleMs
    this.#usage = usage
    this.#set(ageMs, idleMs)
  }

  /** Returns the record to store. If the stored record is another session's, it stays. */
  saved(stored: unknown): unknown {
    if (stored !== undefined && !isUsage(stored, this.sessionId)) return stored
    const usage = { ...(stored ?? this.#usage), activeAt: Math.round(this.#clock.now() - this.idleMs) }
    this.#usage = { ...usage, ageMs: Math.round(Math.max(this.ageMs, usage.ageMs)) }
    return this.#usage
  }
}

/** The limits in ms. `Infinity`: no such limit. */
interface Limits {
  readonly maxMs: number
  readonly idleMs: number
  readonly warnMs: number
}

/** How many ms are left, and which limit ends the session then. */
const leftOf = ({ ageMs, idleMs }: Count, limits: Limits) =>
  limits.maxMs - ageMs <= limits.idleMs - idleMs
    ? ({ ms: limits.maxMs - ageMs, reason: 'session_limit' } as const)
    : ({ ms: limits.idleMs - idleMs, reason: 'idle_limit' } as const)

/**
 * Counts a session by its stored usage. The first client that sees a new session stores it.
 * @param known the count of this client so far.
 * @returns `undefined` if the store holds another session.
 */
async function countOf(
  { keyValue, clock, readSession }: ExtensionContext,
  key: string,
  sessionId: string,
  known: Count | undefined,
): Promise<Count | undefined> {
  try {
    let stored = await keyValue.get(key)
    if (!isUsage(stored, sessionId) && !known) {
      if ((await readSession())?.sessionId !== sessionId) return undefined
      const now = clock.now()
      const begun: Usage = { schema: 1, sessionId, startedAt: now, ageMs: 0, activeAt: now }
      await keyValue.update(key, found => (isUsage(found, sessionId) ? found : begun))
      stored = begun
    }
    if (!isUsage(stored, sessionId)) return known
    if (!known) return new Count(stored, clock)
    known.learn(stored)
  } catch {} // while the store fails, this client counts alone
  return known
}

/** Watches the limits in one client. */
function createLimits(
  context: ExtensionContext,
  limits: Limits,
  watch: (active: () => void) => () => void,
  show: (ending: SessionEnding | undefined) => void,
) {
  const { keyValue, clock, session } = context
  const key = `${context.prefix} limits`
  const saveMs = Math.min(limits.idleMs / 20, SAVE_MS)
  let count: Count | undefined
  let cancelCheck = () => {}
  let cancelSave: (() => void) | undefined
  let stopWatching: (() => void) | undefined

  const left = (known: Count) => leftOf(known, limits)
  const isDue = () => count !== undefined && left(count).ms <= 0

  const stop = () => {
    cancelCheck()
    cancelSave?.()
    cancelSave = undefined
    stopWatching?.()
    stopWatching = undefined
    count = undefined
    show(undefined)
  }

  const save = () => {
    const known = count
    cancelSave?.()
    cancelSave = undefined
    // best effort: while the store fails, this client counts alone
    if (known) keyValue.update(key, stored => known.saved(stored)).catch(() => {})
  }
  const active = () => {
    if (!count) return
    if (isDue()) return void check() // too late, unless the user was active in another tab
    const isNear = left(count).ms <= limits.warnMs
    count.active()
    if (isNear) {
      save()
      schedule(count)
    } else cancelSave ??= clock.after(saveMs, save, true)
  }

  const schedule = (known: Count) => {
    cancelCheck()
    stopWatching ??= limits.idleMs < Infinity ? watch(active) : () => {}
    const { ms, reason } = left(known)
    const isNear = ms <= limits.warnMs
    show(isNear ? { reason, endsAt: Math.round(clock.now() + ms) } : undefined)
    const next = isNear ? Math.min(ms, reason === 'idle_limit' ? POLL_MS : ms) : ms - limits.warnMs
    cancelCheck = clock.after(Math.min(Math.max(Math.ceil(next), 1), LONGEST_MS), () => void check(), true)
  }

  const check = async () => {
    const sessionId = session()?.sessionId
    const before = count?.sessionId === sessionId ? count : undefined
    const found = sessionId === undefined ? undefined : await countOf(context, key, sessionId, before)
    if (session()?.sessionId !== sessionId) return // the code that changed the session checks the new one
    if (!found) return stop()
    const known = count?.sessionId === found.sessionId ? count : found
    count = known
    const { ms, reason } = left(known)
    if (ms > 0) return schedule(known)
    // it has ended in this client even if the store fails
    await context.endSession(known.sessionId, reason, true).catch(() => {})
    if (count === known) stop()
  }

  const hooks: ExtensionHooks = {
    limit: { isDue, check },
    ended(sessionId) {
      if (count?.sessionId === sessionId) stop()
      keyValue.update(key, stored => (isUsage(stored, sessionId) ? undefined : stored)).catch(() => {})
    },
    close: stop,
  }
  return { hooks, active }
}

/**
 * Creates the extension.
 * @param watch see `SessionLimitsOptions`.
 * @throws ConfigurationError for a wrong option.
 */
export function createSessionLimits(
  { maxSessionSeconds, maxIdleSeconds, warnSeconds = 60 }: SessionLimitsOptions,
  watch: NonNullable<SessionLimitsOptions['watch']>,
): SessionLimits {
  const limits = {
    maxMs: parseSeconds('maxSessionSeconds', maxSessionSeconds, 1),
    idleMs: parseSeconds('maxIdleSeconds', maxIdleSeconds, 1),
    warnMs: parseSeconds('warnSeconds', warnSeconds, 0),
  }
  if (limits.maxMs === Infinity && limits.idleMs === Infinity)
    throw new ConfigurationError('sessionLimits() needs "maxSessionSeconds" or "maxIdleSeconds".')
  const listeners = createListeners<SessionEnding | undefined>()
  let ending: SessionEnding | undefined
  let active: (() => void) | undefined
  const show = (next: SessionEnding | undefined) => {
    const isSame = ending?.reason === next?.reason
    // the same end: the two clocks differ slightly
    if (isSame && Math.abs((ending?.endsAt ?? 0) - (next?.endsAt ?? 0)) < 1000) return
    ending = next && Object.freeze(next)
    listeners.emit(ending)
  }
  const extend: Extension = context => {
    if (active)
      throw new ConfigurationError('sessionLimits() is for one client: call it again for the next one.')
    const made = createLimits(context, limits, watch, show)
    active = made.active
    return made.hooks
  }
  return Object.defineProperties(extend, {
    ending: { get: () => ending },
    subscribe: { value: listeners.add },
    active: { value: () => active?.() },
  }) as SessionLimits
}
