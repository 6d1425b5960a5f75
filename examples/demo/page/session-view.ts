import type { Session } from 'latchkey'
import { byTestId, created, element } from './elements.ts'

/** The lifetime that a full ring shows. A longer-lived token makes it stand for more. */
const USUAL_LIFETIME_MS = 20_000

const statusTexts = {
  starting: 'starting',
  'signed-out': 'signed out',
  'signing-in': 'signing in',
  'signed-in': 'signed in',
  'signing-out': 'signing out',
} as const

const reasons: Readonly<Record<string, string>> = {
  expired: 'The authorization server ended the session. Sign in again to continue.',
  refresh_interrupted: 'A refresh was interrupted before its response arrived. Sign in again to continue.',
  no_refresh_token: 'The access token has expired, and there is no refresh token. Sign in again to continue.',
  replaced: 'Another sign-in replaced this session.',
}

/** Shows the session, and counts down the seconds until its access token expires. */
export function createSessionView() {
  const signedIn = element('#signed-in')
  const signedOut = element('#signed-out')
  const api = element('#api')
  const problem = element('#problem')
  let expiresAt: number | undefined
  let lifetimeMs = USUAL_LIFETIME_MS

  const tick = () => {
    const leftMs = expiresAt === undefined ? undefined : Math.max(0, expiresAt - Date.now())
    const left = leftMs === undefined ? 0 : Math.min(1, leftMs / lifetimeMs)
    byTestId('expiry').textContent = leftMs === undefined ? '–' : String(Math.ceil(leftMs / 1000))
    element('#ring').style.setProperty('--gone', String(100 - left * 100))
    element('.life').classList.toggle('over', leftMs === 0)
    element('#expiry-text').textContent = leftMs
      ? 'seconds left; latchkey refreshes it before it expires'
      : 'has expired; the next call refreshes it first'
  }
  setInterval(tick, 200)

  const showProblem = (text: string) => {
    problem.textContent = text
    problem.hidden = false
  }
  const hideProblem = () => {
    problem.hidden = true
  }

  return {
    show: (session: Session) => {
      document.body.dataset.status = session.status
      byTestId('status').textContent = statusTexts[session.status]
      signedIn.hidden = api.hidden = session.status !== 'signed-in'
      signedOut.hidden = session.status !== 'signed-out'
      const reason = session.status === 'signed-out' ? reasons[session.reason ?? ''] : undefined
      if (reason) showProblem(reason)
      if (session.status !== 'signed-in') return
      hideProblem()
      const { claims, scope, accessTokenExpiresAt } = session
      byTestId('user').textContent = String(claims?.name ?? claims?.sub ?? 'somebody')
      element('#subject').textContent = claims?.sub ?? 'unknown'
      element('#scopes').replaceChildren(...scope.map(value => created('li', '', value)))
      if (accessTokenExpiresAt !== expiresAt && accessTokenExpiresAt !== undefined) {
        lifetimeMs = Math.max(USUAL_LIFETIME_MS, accessTokenExpiresAt - Date.now())
      }
      expiresAt = accessTokenExpiresAt
      tick()
    },
    /** Shows an error that did not come from an API call. */
    showProblem,
    hideProblem,
  }
}
