import type { Session } from '../../src/core/session.ts'
import { endedSessionOf, epochOf, type SessionRecord, sessionOf } from '../../src/core/session.ts'
import { AuthorizationRequiredError, type EndReason, LatchkeyError } from '../../src/errors.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import type { Parameters } from './parameters.ts'
import type { Presentation, Presentations } from './presentations.ts'
import type { Realm } from './realm.ts'
import { readByMost } from './releases.ts'
import type { Scheduler } from './scheduler.ts'

/** The invariants of every moment of every schedule. */
export type Invariant =
  | 'one redemption'
  | 'durable before used'
  | 'only the server ends a session'
  | 'what is over stays over'
  | 'an interruption is told'
  | 'lost answers are survived'
  | 'a refresh that was cut off is taken up'
  | 'no wait without a bound'
  | 'every failure has a name'
  | 'all contexts agree'
  | 'no unhandled rejection'
  | 'no call as somebody else'
  | 'a sign-out ends sign-ins under way'

/**
 * The longest time that a call may wait while its realm is awake: 4 s for a first read of the store; 15 s for the lock and 2
 * s for the last attempt to take a lease; 12 s of hold and 2 s to release a lease; 4 s to read again; 1 s for the simulation
 * itself.
 */
const LONGEST_WAIT_MS = (4 + 15 + 2 + 12 + 2 + 4 + 1) * 1000
/** Before that, for a host that does not complete its work. */
const HOST_MS = (2 + 10 + 1) * 1000

/** What the watch records about one client. */
export interface Participant {
  readonly id: string
  readonly realm: Realm
  /** Whether it can use what the store holds: see releases.ts. */
  canUse(stored: unknown): boolean
  /** The session that it shows. */
  shown: string | undefined
  /** Sessions that it no longer shows, or has signed out of. */
  readonly left: Set<string>
  /** Access tokens that it could not store. */
  readonly kept: Set<string>
  /** Whether it has reported that. */
  degraded: boolean
  /** When it was last signing out. */
  signOutSeen: number
  /** When its last sign-out started. */
  signOutBegan: number
  readonly signedOutOf: Set<string>
  lastRefused: Presentation | undefined
}

export interface Watch {
  readonly violation: { invariant: Invariant; what: string } | undefined
  violate(invariant: Invariant, what: string): void
  committed(realm: Realm, before: unknown, after: unknown): void
  /** A write failed; `signIn`: the first write of a session's record. */
  kept(participant: Participant, accessToken: string, signIn: boolean): void
  handedOut(participant: Participant, accessToken: string): void
  /** A call that was made in this session is sent with this token. Tokens are named after their session. */
  sends(participant: Participant, sessionId: string | undefined, accessToken: string): void
  shows(participant: Participant, session: Session, record: SessionRecord | undefined): void
  told(participant: Participant, reason: EndReason): void
  /** A sign-out starts, which a user began at `began`, by default now. @returns a function that ends it. */
  signsOut(participant: Participant, began?: number): () => void
  /** The sign-in of this session read the store between these times, and knows about no later sign-out. */
  signInBegan(sessionId: string, from: number, to: number): void
  rejected(participant: Participant, wanted: string | undefined, error: unknown, aborted: boolean): void
  /** A call starts. Returns a function that ends it. */
  begin(participant: Participant, what: string): () => void
  /** After each task. */
  step(): void
  /** No event is pending any more. */
  settled(participants: readonly Participant[]): void
  isOver(sessionId: string): boolean
}

export interface WatchPorts {
  readonly parameters: Parameters
  readonly scheduler: Scheduler
  readonly server: AuthorizationServer
  readonly presentations: Presentations
  readonly stored: () => SessionRecord | undefined
  readonly tolerates: readonly Invariant[]
}

export function createWatch(ports: WatchPorts): Watch {
  const { parameters, scheduler, server, presentations } = ports
  const sessions = new Map<string, { since: number; over: boolean }>()
  const durable = new Map<string, string>()
  const pending = new Set<{ participant: Participant; what: string; awake: number }>()
  const signOuts: Participant[] = []
  const unsure = new Set<string>()
  const signInsBegan = new Map<string, { from: number; to: number }>()
  /** The sign-outs in the store. One that could not be stored at first is stored later than it began. */
  const signOutsStored: { began: number; at: number }[] = []
  let violation: Watch['violation']
  let step = 0

  const isOver = (sessionId: string) => sessions.get(sessionId)?.over ?? false
  /** A sign-out began after its sign-in had read the store, and it was not stored by then. */
  const isForbidden = (sessionId: string) => {
    const { to = Infinity } = signInsBegan.get(sessionId) ?? {}
    return !sessions.has(sessionId) && signOutsStored.some(({ began }) => began > to)
  }
  /** The same, perhaps: it may also have read the store before. A client may freeze while it reads. */
  const mayBeForbidden = (sessionId: string) => {
    const { from = Infinity } = signInsBegan.get(sessionId) ?? {}
    return !sessions.has(sessionId) && signOutsStored.some(({ at }) => at > from)
  }
  /** It has ended in the store, or the server told a client that could not remove it: that realm, if it had a successor only in memory. */
  const isLost = (sessionId: string, realm: Realm) => {
    const { tokens, sessionId: current } = ports.stored() ?? {}
    const refreshToken = current === sessionId ? (tokens?.refreshToken as string) : undefined
    const gone =
      refreshToken && (server.familyOf(refreshToken)?.over || presentations.isRefused(refreshToken, realm))
    const isUnsaved = current !== sessionId && !sessions.has(sessionId)
    return isOver(sessionId) || !!gone || mayBeForbidden(sessionId) || (isUnsaved && isEnded(sessionId))
  }
  /** Of a session that was never stored. */
  const isEnded = (sessionId: string) => server.isOver(sessionId) || presentations.hasRefused(sessionId)
  /** Whether a user has signed out of it, anywhere. Clients tell each other about a sign-out that they cannot store. */
  const isSignOut = (realm: Realm, sessionId = '') =>
    signOuts.some(
      one =>
        one.signedOutOf.has(sessionId) || (one.realm === realm && one.signOutSeen >= scheduler.now - 10_000),
    )

  /** The user has signed out, or the server has ended the session and told a client, which may keep another token in memory. */
  const mayRemove = ({ sessionId, tokens: { refreshToken = '' } }: SessionRecord, realm: Realm) =>
    isSignOut(realm, sessionId) ||
    presentations.isRefused(refreshToken, realm) ||
    (server.familyOf(refreshToken)?.over && presentations.hasRefused(sessionId))

  const watch: Watch = {
    get violation() {
      return violation
    },
    isOver,
    violate(invariant, what) {
      if (!ports.tolerates.includes(invariant)) violation ??= { invariant, what }
    },
    committed(realm, stored, next) {
      const [whatWas, whatIs] = [stored, next].map(readByMost)
      const [before, after] = [sessionOf(whatWas), sessionOf(whatIs)]
      if (endedSessionOf(whatIs)?.ended === 'signed_out' && epochOf(whatIs) > epochOf(whatWas)) {
        const own = signOuts.filter(one => one.realm === realm).map(one => one.signOutBegan)
        signOutsStored.push({ began: Math.max(...own), at: scheduler.now })
      }
      if (before && !after && !mayRemove(before, realm)) {
        watch.violate(
          'only the server ends a session',
          `${realm.id} removed ${before.tokens.refreshToken}, which was not refused`,
        )
      }
      const known = sessions.get(before?.sessionId ?? '')
      if (known && before?.sessionId !== after?.sessionId) known.over = true
      if (!after) return
      const own = sessions.get(after.sessionId)
      if (own?.over && unsure.has(after.tokens.accessToken)) {
        // a sign-in whose write failed for its page but took effect is written again: it starts again
        own.over = false
        presentations.forget(after.tokens.refreshToken)
      } else if (own?.over) {
        watch.violate('what is over stays over', `${realm.id} stored ${after.sessionId} again`)
      }
      const isNew = !sessions.has(after.sessionId)
      if (isForbidden(after.sessionId)) {
        const what = `${realm.id} stored ${after.sessionId}, although somebody has signed out since its sign-in began`
        watch.violate('a sign-out ends sign-ins under way', what)
      }
      if (isNew) sessions.set(after.sessionId, { since: scheduler.now, over: false })
      durable.set(after.tokens.accessToken, after.sessionId)
      presentations.stored(after.tokens.refreshToken, scheduler.now)
    },
    kept(participant, accessToken, signIn) {
      participant.kept.add(accessToken)
      if (signIn) unsure.add(accessToken)
    },
    handedOut(participant, accessToken) {
      const sessionId = durable.get(accessToken)
      if (!sessionId && !participant.kept.has(accessToken)) {
        watch.violate('durable before used', `${participant.id} got ${accessToken}, which is not stored`)
      }
      if (sessionId && isOver(sessionId) && participant.left.has(sessionId)) {
        watch.violate(
          'what is over stays over',
          `${participant.id} got ${accessToken} of a session it had left`,
        )
      }
    },
    sends(participant, sessionId, accessToken) {
      if (accessToken.split('.')[0] === sessionId) return
      const what = `${participant.id} sends with ${accessToken} a call that was made in ${sessionId}`
      watch.violate('no call as somebody else', what)
    },
    shows(participant, session, record) {
      const before = participant.shown
      const now = session.status === 'signed-in' ? record?.sessionId : undefined
      participant.shown = now
      if (before && before !== now) {
        participant.left.add(before)
        presentations.left(participant.realm, before)
      }
      if (now && !isOver(now)) participant.left.delete(now) // a failed sign-out
      if (now && isOver(now) && participant.left.has(now)) {
        watch.violate('what is over stays over', `${participant.id} shows ${now} again`)
      }
      // it leaves a record that it cannot use unchanged, and reports it
      if (now || isSignOut(participant.realm, before)) return
      if ('reason' in session && session.reason === 'unusable_record') return
      const stored = ports.stored()?.sessionId
      const since = sessions.get(stored ?? '')?.since ?? Infinity
      const missed = before ?? (since < participant.realm.bornAt ? stored : undefined)
      if (missed && !isLost(missed, participant.realm) && !isSignOut(participant.realm, missed)) {
        watch.violate('only the server ends a session', `${participant.id} shows none, but ${missed} lives`)
      }
    },
    told(participant, reason) {
      const refused = participant.lastRefused
      participant.lastRefused = undefined
      // a storage fault may remove the mark as well
      if (!refused || reason !== 'expired' || parameters.storage.faults || parameters.storage.full) return
      // a late rejection may belong to a session that has been replaced meanwhile
      if (!refused.refreshToken.startsWith(`${participant.shown}.`)) return
      if (presentations.wasInterrupted(refused)) {
        const what = `${participant.id} says "expired" although an earlier answer for ${refused.refreshToken} was lost`
        watch.violate('an interruption is told', what)
      }
    },
    signsOut(participant, began = scheduler.now) {
      // it may be frozen meanwhile
      participant.signOutSeen = Infinity
      participant.signOutBegan = began
      if (!signOuts.includes(participant)) signOuts.push(participant)
      return () => {
        participant.signOutSeen = scheduler.now
      }
    },
    signInBegan: (sessionId, from, to) => void signInsBegan.set(sessionId, { from, to }),
    rejected(participant, wanted, error, aborted) {
      if (aborted) return
      if (!(error instanceof LatchkeyError)) {
        return watch.violate('every failure has a name', `${participant.id}: ${error}`)
      }
      if (!(error instanceof AuthorizationRequiredError) || !wanted) return
      if (error.reason === 'replaced' && participant.shown && participant.shown !== wanted) return
      // the session that it left by its own sign-in may stay in the store if that could not be written
      if (
        isLost(wanted, participant.realm) ||
        participant.left.has(wanted) ||
        isSignOut(participant.realm, wanted)
      )
        return
      const what = `${participant.id} was told "${error.reason}", but ${wanted} lives`
      watch.violate('only the server ends a session', what)
    },
    begin(participant, what) {
      const call = { participant, what, awake: participant.realm.awakeMs }
      pending.add(call)
      return () => void pending.delete(call)
    },
    step() {
      if (step++ % 32) return
      for (const call of pending) {
        const { realm, id } = call.participant
        if (realm.state === 'dead') pending.delete(call)
        else if (realm.awakeMs - call.awake > LONGEST_WAIT_MS + (parameters.hosted ? HOST_MS : 0)) {
          const seconds = (realm.awakeMs - call.awake) / 1000
          watch.violate('no wait without a bound', `${id}: ${call.what} has waited ${seconds} s`)
        }
      }
    },
    settled(participants) {
      for (const { id, kept, degraded } of participants) {
        // a refresh that exceeds its hold has no client left to report to
        if (kept.size > 0 && !degraded && parameters.freeze === 0) {
          watch.violate('durable before used', `${id} did not tell that it could not store`)
        }
      }
      for (const { participant, what } of pending) {
        if (participant.realm.state === 'dead') continue
        watch.violate('no wait without a bound', `${participant.id}: ${what} has never settled`)
      }
    },
  }
  return watch
}
