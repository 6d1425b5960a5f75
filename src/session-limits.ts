import {
  createSessionLimits,
  type SessionLimits,
  type SessionLimitsOptions,
} from './extensions/session-limits.ts'
import { watchUser } from './platform/browser/activity.ts'

export type { SessionEnding, SessionLimits, SessionLimitsOptions } from './extensions/session-limits.ts'

/**
 * Ends sessions after a time, or when the user is away: for those who must. `extensions: [limits]` of one client; the session
 * ends in all tabs with the reason `session_limit` or `idle_limit`, and latchkey revokes its refresh token. A call that comes
 * after the end gets no access token, also where a machine slept or its clock was set back.
 * @throws ConfigurationError for an option that is wrong.
 */
export const sessionLimits = ({ watch = watchUser, ...limits }: SessionLimitsOptions): SessionLimits =>
  createSessionLimits(limits, watch)
