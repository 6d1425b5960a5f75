import {
  createSessionLimits,
  type SessionLimits,
  type SessionLimitsOptions,
} from './extensions/session-limits.ts'
import { watchUser } from './platform/browser/activity.ts'

export type { SessionEnding, SessionLimits, SessionLimitsOptions } from './extensions/session-limits.ts'

/**
 * Ends sessions after a maximum time, or when the user is inactive: `extensions: [limits]`, for one client. The session ends
 * in all tabs with the reason `session_limit` or `idle_limit`, and latchkey revokes its refresh token. After the end, calls
 * get no access token, even if the machine has slept or its clock was set back.
 * @throws ConfigurationError for a wrong option.
 */
export const sessionLimits = ({ watch = watchUser, ...limits }: SessionLimitsOptions): SessionLimits =>
  createSessionLimits(limits, watch)
