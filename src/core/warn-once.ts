import type { Emit, WarningTopic } from './events.ts'

/** Tells a warning to the app's developers. */
export type Warn = (about: WarningTopic, message: string) => void

/** Each topic is told once: what is wrong at every sign-in is not news at the second. */
export function createWarn(emit: Emit): Warn {
  const told = new Set<WarningTopic>()
  return (about, message) => {
    if (told.has(about)) return
    told.add(about)
    emit({ type: 'warning', about, message })
  }
}
