import type { Warn } from '../core/events.ts'
import type { Quirk } from '../core/quirks.ts'
import { ServerError } from '../errors.ts'

/**
 * Accepts a deviation from the specifications where the app has named that quirk, with a warning.
 * @throws ServerError that names the quirk, where it has not.
 */
export type AcceptDeviation = (quirk: Quirk, what: string) => void

export const createAcceptDeviation =
  (allowed: ReadonlySet<Quirk>, warn: Warn): AcceptDeviation =>
  (quirk, what) => {
    const deviation = `The authorization server's answer ${what}.`
    if (allowed.has(quirk)) return warn('quirk', deviation)
    throw new ServerError(`${deviation} The option "quirks" with "${quirk}" accepts it.`, {
      error: 'invalid_response',
      quirk,
    })
  }
