import { unusableError } from '../../src/authorization/failure.ts'
import { createRedemption } from '../../src/authorization/redemption.ts'
import { createRefresher } from '../../src/authorization/refresher.ts'
import { toTokenSet } from '../../src/authorization/renewal.ts'
import { storeSignIn } from '../../src/authorization/sign-in.ts'
import type { LeftSession, SessionWrites } from '../../src/core/authorization.ts'
import type { EventBody } from '../../src/core/events.ts'
import { createListeners } from '../../src/core/listeners.ts'
import type { Host, Lock, News } from '../../src/core/ports.ts'
import { endedSessionOf, epochOf, type SessionRecord } from '../../src/core/session.ts'
import { singleFlight } from '../../src/core/waiting.ts'
import { AuthorizationRequiredError } from '../../src/errors.ts'
import { createLiveSession } from '../../src/session/session.ts'
import { createTokenStore } from '../../src/session/token-store.ts'
import { createWatchedTime } from '../../src/session/watched-time.ts'
import { limited } from '../../src/storage/limited.ts'
import { createHostWork, type HostWork } from '../../src/worker/host-work.ts'
import { isLeased } from './parameters.ts'
import type { Realm } from './realm.ts'
import { type Abilities, isUsable, ofLaterRelease, withoutUnusable } from './releases.ts'
import { withoutSafeguard } from './safeguards.ts'
import { redeemOver } from './token-endpoint.ts'
import type { Participant } from './watch.ts'
import type { World } from './world.ts'

export const NAME = 'latchkey'
/** Longer than the maximum wait for the lock. */
const TAKEN_UP_MS = 20_000

export const RECORD = `${NAME} session`

/** One client, composed of the real parts as in `src/client.ts`. */
export interface Client extends Participant {
  /** Its copy of the record. */
  holds(): SessionRecord | undefined
  /** What `start()` does without a callback to complete. */
  start(): Promise<void>
  /** What `fetch` does: gets a token, calls the API, and repeats the call once with another token after a 401. */
  call(signal?: AbortSignal): Promise<'accepted' | 'refused'>
  signIn(): Promise<void>
  signOut(): Promise<void>
  /** The app may have slept. */
  wake(): Promise<unknown>
  hear(news: News): void
  /** What it does as the host of pages. */
  readonly hosted: HostWork
}

export function createClient(
  world: World,
  id: string,
  realm: Realm,
  lock: Lock,
  abilities: Abilities = {},
  host?: Host,
): Client {
  const { watch, server, random, say, counts, parameters } = world
  const { clock } = realm
  const { isLater, tokenType } = abilities
  let opened = world.storage.openedBy(realm)
  if (world.missing.includes('unusable-is-left-alone')) opened = withoutUnusable(opened, abilities)
  if (isLater) opened = ofLaterRelease(opened)
  const store = createTokenStore(limited(opened, clock), RECORD, tokenType)
  const participant: Participant = {
    id,
    realm,
    canUse: stored => isUsable(abilities, stored),
    shown: undefined,
    left: new Set(),
    kept: new Set(),
    degraded: false,
    signOutSeen: -1,
    signOutBegan: -1,
    signedOutOf: new Set(),
    lastRefused: undefined,
  }
  const weakened = withoutSafeguard(world.missing, store, lock)
  const records: typeof store = {
    ...weakened.records,
    get stored() {
      return store.stored
    },
    get inStore() {
      return store.inStore
    },
    get current() {
      return store.current
    },
    get unsaved() {
      return store.unsaved
    },
  }
  const writes: SessionWrites = {
    ...weakened.writes,
    keep(next, unchanged) {
      watch.kept(participant, next.tokens.accessToken, false)
      weakened.writes.keep(next, unchanged)
    },
    keepSignIn(next, before) {
      const isKept = weakened.writes.keepSignIn(next, before)
      if (isKept) watch.kept(participant, next.tokens.accessToken, true)
      return isKept
    },
  }

  const emit = (event: EventBody) => {
    if (event.type === 'storage-degraded') {
      counts.degraded++
      participant.degraded = true
    }
    if (event.type === 'tokens-adopted') {
      counts.adopted++
      participant.lastRefused = undefined // another client's tokens may end for another reason
    }
    if (event.type === 'session-ended') {
      counts.ended[event.reason] = (counts.ended[event.reason] ?? 0) + 1
      watch.told(participant, event.reason)
      if (event.reason === 'unusable_record') world.overtaken(realm)
    }
    const about = event.type === 'session-ended' ? `${event.type}: ${event.reason}` : event.type
    say(id, about)
  }
  const revoke = (refreshToken: string) => {
    world.presentations.dropped(refreshToken)
    say(id, `revokes ${refreshToken}`)
    realm.later(random.between(1, 100), 'network', () => server.revoke(refreshToken))
  }
  const passes = (mostMs: number) =>
    new Promise<void>(resolve => realm.later(random.between(0, mostMs), 'network', resolve))

  const hearing = new Set<(news: News) => void>()
  const wakes = new Set<() => void>()
  const redeem = redeemOver(world, participant)
  const now = createWatchedTime(clock, records)
  const changes = createListeners<string | undefined>()
  const left = createListeners<LeftSession>()
  let wokeAt = clock.now()
  const hash = async (text: string) => `hash of ${text}`
  const redeemUnderLock = createRedemption({
    writes,
    records,
    lock: weakened.lock,
    prefix: NAME,
    realm: id,
    tokenType,
    clock,
    now,
    redeem: async (record, _resource, attempt, signal) => {
      const early = world.missing.includes('sends-within-hold') ? signal() : undefined
      try {
        return await redeem(record, attempt, early ? () => early : signal)
      } catch (error) {
        if (participant.lastRefused) weakened.refused()
        throw error
      }
    },
    hash,
    random: random.next,
    revoke,
    changed: changes.emit,
    adopted: () => changes.emit(undefined),
  })
  const refresher = createRefresher({
    writes,
    prefix: NAME,
    records,
    lock: weakened.lock,
    clock,
    now,
    random: random.next,
    emit,
    sessionLost: left,
    changed: changes.emit,
    adopted: () => changes.emit(undefined),
    wokeAt: () => wokeAt,
    prepare: () => passes(5),
    redeem: redeemUnderLock,
    revoke,
    hash,
    host,
  })
  const half = { ...refresher, unusableError }
  const live = createLiveSession({
    records,
    clock,
    now,
    emit,
    realm: id,
    changes,
    sessionLost: left,
    isEager: parameters.isEager,
    authorization: { get: async () => half, loaded: half },
    woke() {
      wokeAt = clock.now() + 1
    },
    channel: () => ({
      post: news => world.post(realm, id, news),
      listen(hear) {
        hearing.add(hear)
        return () => hearing.delete(hear)
      },
      close() {},
    }),
    wake: {
      listen(wake) {
        wakes.add(wake)
        return () => wakes.delete(wake)
      },
    },
    ended() {},
    host,
  })
  live.subscribe(session => watch.shows(participant, session, records.current))

  /** Gets a token as `fetch` does, observed by the watch. */
  const getToken = async (
    made: { sessionId: string | undefined },
    rejected?: string,
    signal?: AbortSignal,
  ): Promise<string> => {
    const ended = watch.begin(participant, rejected ? `acquire(${rejected})` : 'acquire()')
    let wanted = records.current?.sessionId
    try {
      let accessToken = rejected === undefined ? live.ready() : undefined
      if (accessToken === undefined) {
        if (rejected === undefined) await live.started()
        made.sessionId ??= live.sessionId()
        wanted = made.sessionId
        const sessionId = world.missing.includes('replay-within-session') ? undefined : made.sessionId
        accessToken = await live.acquire({ rejected, sessionId, signal })
      }
      watch.handedOut(participant, accessToken)
      return accessToken
    } catch (error) {
      watch.rejected(participant, wanted, error, signal?.aborted ?? false)
      throw error
    } finally {
      ended()
    }
  }
  const asksApi = (accessToken: string) =>
    new Promise<boolean>(resolve => {
      world.scheduler.after(random.between(1, 40), () => {
        const accepted = server.accepts(accessToken)
        realm.later(random.between(1, parameters.apiMs), 'network', () => resolve(accepted))
      })
    })

  /** The session that it knew, though perhaps did not show yet, when it stored its last sign-in. */
  let knownAtSignIn: string | undefined
  /** From the click to the record in the store. */
  const signIn = async () => {
    const from = world.scheduler.now
    const epoch = await records.read().then(
      () => epochOf(records.inStore),
      () => undefined,
    )
    const to = world.scheduler.now
    await passes(parameters.signInMs)
    const { family, response } = server.signIn(random.pick(['alice', 'bob']))
    say(id, `signs in: ${family.id}`)
    // if the store could not be read at the start, it is unknown which sign-outs came later
    watch.signInBegan(family.id, from, epoch === undefined ? Infinity : to)
    await passes(Math.min(parameters.signInMs, 1000))
    const tokens = toTokenSet(
      { response, claims: undefined },
      { receivedAt: clock.now(), leewaySeconds: 60, scope: 'openid' },
    )
    const record: SessionRecord = {
      ...({ schema: 1, sessionId: family.id, version: 1 } as const),
      ...{ tokens, tokenType, by: id, epoch },
    }
    knownAtSignIn = records.current?.sessionId
    try {
      await storeSignIn({ writes, records, emit }, record)
    } catch (error) {
      if (error instanceof AuthorizationRequiredError) world.meet('sign-in ended by a sign-out')
      throw error
    }
    changes.emit(family.id)
  }

  const hosted = createHostWork({
    ...{ records, clock, hash, changed: changes.emit },
    start() {
      for (const wake of wakes) wake()
      return live.start(Promise.resolve())
    },
    authorization: async () => ({
      refresh: refresher.refresh,
      async signOut(_request, ended) {
        if (!ended) return
        participant.signedOutOf.add(ended.sessionId)
        participant.left.add(ended.sessionId)
        revoke(ended.tokens.refreshToken as string)
      },
    }),
  })

  const share = singleFlight<void>()
  return Object.assign(participant, {
    holds: () => records.current,
    async start() {
      await live.start(Promise.resolve())
      const cutOff = records.current
      // another client that holds the lock for long may prevent it, or a pause that the server asked for
      if (!cutOff?.pending || isLeased(parameters) || !world.isSound) return
      realm.later(TAKEN_UP_MS, 'call', () => {
        const stored = world.stored()
        if (stored?.sessionId !== cutOff.sessionId || stored.version !== cutOff.version) return
        if (stored.trouble || stored.pending?.sentAt !== cutOff.pending?.sentAt) return
        watch.violate('a refresh that was cut off is taken up', `${id} started and let it lie`)
      })
    },
    async call(signal?: AbortSignal): Promise<'accepted' | 'refused'> {
      counts.calls++
      const made = { sessionId: live.sessionId() }
      const accessToken = await getToken(made, undefined, signal)
      watch.sends(participant, made.sessionId, accessToken)
      if (await asksApi(accessToken)) return 'accepted'
      counts.unauthorized++
      say(id, `${accessToken}: 401`)
      const now = live.sessionId()
      if (now && now !== made.sessionId) world.meet('another session before a 401')
      const renewed = await getToken(made, accessToken, signal)
      if (renewed === accessToken) return 'refused'
      watch.sends(participant, made.sessionId, renewed)
      return (await asksApi(renewed)) ? 'accepted' : 'refused'
    },
    signIn: () =>
      share('sign-in', async () => {
        await live.signedOut()
        await live.signingIn(signIn)
        await live.refreshView()
      }),
    signOut: () =>
      share('sign-out', async () => {
        const before = records.current
        say(id, `signs out of ${before?.sessionId}`)
        if (before) participant.signedOutOf.add(before.sessionId)
        // its sign-in, which could not be stored, has replaced the session in the store: both end
        const replaced = records.unsaved && world.stored()?.sessionId
        if (replaced && (participant.left.has(replaced) || replaced === knownAtSignIn))
          participant.signedOutOf.add(replaced)
        const over = watch.signsOut(participant)
        try {
          await live.signOut(async (ended, gone, isHosted) => {
            if (!ended) return
            participant.signedOutOf.add(ended.sessionId)
            participant.left.add(ended.sessionId)
            if (!isHosted) revoke(ended.tokens.refreshToken as string)
            await passes(parameters.signInMs)
            if (random.chance(0.5)) gone()
          })
        } finally {
          // a failed write is retried later; the session that it ends may have been read meanwhile
          const ended = endedSessionOf(records.stored)
          if (ended?.ended === 'signed_out') participant.signedOutOf.add(ended.sessionId)
          over()
        }
      }),
    async wake() {
      for (const wake of wakes) wake()
      await live.started()
    },
    hosted,
    hear(news: News) {
      for (const hear of hearing) hear(news)
    },
  })
}
