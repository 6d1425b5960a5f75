import type { Clock } from '../extending.ts'
import { secret, type User } from './token-families.ts'

/** How many seconds the user may take. */
const LIFETIME_SECONDS = 600
/** The polling interval in seconds. */
const INTERVAL_SECONDS = 5

interface DeviceRequest {
  readonly userCode: string
  readonly scope: string
  readonly until: number
  pollAt: number
  intervalMs: number
  outcome?: { readonly user: User } | 'access_denied'
}

/** The device authorization grant (RFC 8628). */
export function createDeviceRequests(clock: Clock, issuer: string, keep: (value: string) => string) {
  const requests = new Map<string, DeviceRequest>()
  const settle = (userCode: string, outcome: DeviceRequest['outcome']) => {
    const found = [...requests.values()].find(one => one.userCode === userCode)
    if (!found) throw new Error(`No device shows the code "${userCode}".`)
    found.outcome = outcome
  }
  return {
    /** Begins a request. @returns the endpoint's response (section 3.2). */
    begin(form: URLSearchParams): Response {
      const deviceCode = keep(secret('device'))
      const digits = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0
      const userCode = `${String(1000 + (digits % 9000))}-${String(1000 + ((digits >>> 13) % 9000))}`
      requests.set(deviceCode, {
        userCode,
        scope: form.get('scope') ?? '',
        until: clock.now() + LIFETIME_SECONDS * 1000,
        pollAt: 0,
        intervalMs: INTERVAL_SECONDS * 1000,
      })
      return Response.json({
        device_code: deviceCode,
        user_code: userCode,
        verification_uri: `${issuer}/device`,
        verification_uri_complete: `${issuer}/device?user_code=${userCode}`,
        expires_in: LIFETIME_SECONDS,
        interval: INTERVAL_SECONDS,
      })
    },
    /** @returns the user and scope of the granted request, or the OAuth error of section 3.5. */
    poll(deviceCode: string): { user: User; scope: string } | string {
      const found = requests.get(deviceCode)
      if (!found) return 'invalid_grant'
      if (clock.now() >= found.until) return 'expired_token'
      const isEarly = clock.now() < found.pollAt
      if (isEarly) found.intervalMs += INTERVAL_SECONDS * 1000
      found.pollAt = clock.now() + found.intervalMs
      if (isEarly) return 'slow_down'
      if (!found.outcome) return 'authorization_pending'
      requests.delete(deviceCode)
      return found.outcome === 'access_denied'
        ? found.outcome
        : { user: found.outcome.user, scope: found.scope }
    },
    /** Grants the request with this user code. @throws Error if no device shows it. */
    approve: (userCode: string, user: User) => settle(userCode, { user }),
    /** Refuses the request with this user code. @throws Error if no device shows it. */
    deny: (userCode: string) => settle(userCode, 'access_denied'),
  }
}
