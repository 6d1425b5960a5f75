import type { ClientEvent, Session } from '../index.ts'

/** Something that a developer should look at. */
export interface Finding {
  readonly tone: 'bad' | 'note'
  readonly title: string
  readonly advice: string
}

const ENDED: Readonly<Record<string, string>> = {
  expired: 'The server no longer accepts the refresh token: it expired, was revoked, or was used twice.',
  refresh_interrupted:
    'A refresh was cut off before its answer arrived, and the server had rotated the refresh token. A grace period at the server prevents this.',
  no_refresh_token:
    'The access token expired and there is no refresh token. Ask for the scope offline_access.',
  subject_changed: 'A refresh or a silent sign-in brought an ID Token of another user.',
  dpop_key_lost: 'The key that the tokens are bound to is gone from this device.',
  replaced: 'Another user or a newer sign-in took the place of this session.',
  session_limit: 'It was as old as sessionLimits() allows.',
  idle_limit: 'Its user was away for as long as sessionLimits() allows.',
  interaction_required: 'recover() tried, and the provider needs the user to do something.',
  unusable_record:
    'The stored session is from a newer version of the app, or bound to a key that is not in use.',
}

/** The finding for an event, if it is one that a developer should look at. */
function findingOf(event: ClientEvent): Finding | undefined {
  switch (event.type) {
    case 'warning':
      return { tone: 'note', title: `Warning: ${event.about}`, advice: event.message }
    case 'storage-degraded':
      return { tone: 'bad', title: 'Storage is degraded', advice: event.message }
    case 'step-up-required':
      return {
        tone: 'note',
        title: `An API asks for more: ${event.error}`,
        advice: 'Pass the event to signIn({ stepUp }) when it suits the user.',
      }
    case 'refresh-futile':
      return {
        tone: 'bad',
        title: 'An API refuses new access tokens too',
        advice: `${event.url} answered 401 to a token that had just been refreshed. Look at its audience and scope.`,
      }
    case 'body-not-replayable':
      return {
        tone: 'note',
        title: `${event.method} was not sent again`,
        advice: 'Its body is a stream. Pass a Blob, a string or FormData, and latchkey can replay it.',
      }
    default:
      return undefined
  }
}

/** Returns at most four findings, the most urgent first. */
export function findingsOf(session: Session, events: readonly ClientEvent[]): readonly Finding[] {
  const found: Finding[] = []
  if (session.status === 'signed-in' && session.trouble) {
    const { error } = session.trouble
    found.push({ tone: 'bad', title: `Refreshes fail: ${error.code}`, advice: error.message })
  }
  const reason = session.status === 'signed-out' ? session.reason : undefined
  const why = reason && ENDED[reason]
  if (why) found.push({ tone: 'bad', title: `The session ended: ${reason}`, advice: why })
  // events from before the newest session no longer matter
  const began = events.findLastIndex(({ type }) => type === 'session-started')
  for (const event of events.slice(Math.max(0, began)).toReversed()) {
    const finding = findingOf(event)
    if (finding && !found.some(({ title }) => title === finding.title)) found.push(finding)
  }
  return found.slice(0, 4)
}
