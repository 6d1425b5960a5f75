import type { Session } from 'latchkey'
import { byTestId, element } from './elements.ts'

const reasons: Readonly<Record<string, string>> = {
  expired: 'The authorization server ended the session. Sign in again to continue.',
  refresh_interrupted: 'A refresh was interrupted before its response arrived. Sign in again to continue.',
  no_refresh_token: 'The access token has expired, and there is no refresh token. Sign in again to continue.',
  replaced: 'Another sign-in replaced this session.',
}

/** Shows the session. The inspector beside it shows the rest. */
export function createSessionView() {
  const signedIn = element('#signed-in')
  const signedOut = element('#signed-out')
  const api = element('#api')
  const problem = element('#problem')

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
      byTestId('status').textContent = session.status.replace('-', ' ')
      signedIn.hidden = api.hidden = session.status !== 'signed-in'
      signedOut.hidden = session.status !== 'signed-out'
      const reason = session.status === 'signed-out' ? reasons[session.reason ?? ''] : undefined
      if (reason) showProblem(reason)
      if (session.status !== 'signed-in') return
      hideProblem()
      const { claims } = session
      byTestId('user').textContent = String(claims?.name ?? claims?.sub ?? 'somebody')
      element('#subject').textContent = claims?.sub ?? 'unknown'
    },
    /** Shows an error that did not come from an API call. */
    showProblem,
    hideProblem,
  }
}
