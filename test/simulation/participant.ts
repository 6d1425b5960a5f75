import type { EventBody } from '../../src/core/events.ts'
import type { Lock, News } from '../../src/core/ports.ts'
import type { SessionRecord } from '../../src/core/session.ts'
import { toTokenSet } from '../../src/core/token-set.ts'
import { AuthorizationRequiredError, type EndReason, StorageError } from '../../src/errors.ts'
import { createRefresher } from '../../src/refresh/refresher.ts'
import { singleFlight } from '../../src/refresh/single-flight.ts'
import { limited } from '../../src/store/limited.ts'
import { createSessionView } from '../../src/store/session-view.ts'
import { createTokenStore, type TokenStore } from '../../src/store/token-store.ts'
import type { Realm } from './realm.ts'
import { withoutSafeguard } from './safeguards.ts'
import { redeemOver } from './token-endpoint.ts'
import type { Participant } from './watch.ts'
import type { World } from './world.ts'

export const NAME = 'latchkey'
/** Longer than the lock is waited for. */
const TAKEN_UP_MS = 20_000

export const RECORD = `${NAME} session`

/** One client, joined from the real parts as `src/client.ts` joins them. */
export interface Client extends Participant {
  /** Its copy of the record. */
  holds(): SessionRecord | undefined
  /** What `start()` does with no callback to finish. */
  start(): Promise<void>
  /** What `fetch` does: a token, an API call, and after a 401 once more with another token. */
  call(signal?: AbortSignal): Promise<'accepted' | 'refused'>
  signIn(): Promise<void>
  signOut(): Promise<void>
  /** The app may have slept. */
  wake(): Promise<unknown>
  hear(news: News): void
}

export function createClient(world: World, id: string, realm: Realm, lock: Lock): Client {
  const { watch, server, random, say, counts } = world
  const { clock } = realm
  const store = createTokenStore(limited(world.storage.openedBy(realm), clock), RECORD)
  const participant: Participant = {
    id,
    realm,
    shown: undefined,
    left: new Set(),
    kept: new Set(),
    degraded: false,
    signOutBegan: -1,
    lastRefused: undefined,
  }

  const records: TokenStore = {
    ...store,
    get current() {
      return store.current
    },
    keep(next, unchanged) {
      watch.kept(participant, next.tokens.accessToken, !unchanged)
      store.keep(next, unchanged)
    },
  }
  const emit = (event: EventBody) => {
    if (event.type === 'storage-degraded') {
      counts.degraded++
      participant.degraded = true
    }
    if (event.type === 'tokens-adopted') counts.adopted++
    if (event.type === 'session-ended') {
      counts.ended[event.reason] = (counts.ended[event.reason] ?? 0) + 1
    }
    const about = event.type === 'session-ended' ? `${event.type}: ${event.reason}` : event.type
    say(id, about)
  }
  const view = createSessionView({ clock, emit, ended: (...over) => refresher.end(...over) })
  const publish = (record: SessionRecord | undefined, reason?: EndReason) => {
    const session = view.publish(record, reason)
    watch.shows(participant, session, record)
    return session
  }
  const changed = (record: SessionRecord | undefined, sessionId: string, reason?: EndReason) => {
    if (reason) watch.told(participant, reason)
    publish(record, reason)
    world.post(
      realm,
      id,
      record
        ? { type: 'session-changed' }
        : { type: 'session-ended', sessionId, reason: reason ?? 'signed_out' },
    )
  }

  const weakened = withoutSafeguard(world.missing, records, store, lock)
  const redeem = redeemOver(world, participant)
  const refresher = createRefresher({
    name: NAME,
    context: id,
    records: weakened.records,
    lock: weakened.lock,
    clock,
    emit,
    prepare: () => new Promise<void>(resolve => realm.later(random.between(0, 5), 'network', resolve)),
    redeem: async (record, _resource, attempt, signal) => {
      const early = world.missing.includes('sends-within-hold') ? signal() : undefined
      try {
        return await redeem(record, attempt, early ? () => early : signal)
      } catch (error) {
        if (participant.lastRefused) weakened.refused()
        throw error
      }
    },
    hash: async text => `hash of ${text}`,
    random: random.next,
    revoke: refreshToken => revoke(refreshToken),
    changed,
    adopted: (record, reason) => void publish(record, reason),
  })
  const revoke = (refreshToken: string) => {
    say(id, `revokes ${refreshToken}`)
    realm.later(random.between(1, 100), 'network', () => server.revoke(refreshToken))
  }

  const look = async (reason?: EndReason) => {
    publish(await records.read(), reason)
    refresher.ready()
  }
  let waking: Promise<unknown> | undefined
  const ready = () => (waking ? undefined : refresher.ready())
  const started = async () => {
    await waking
    if (!records.current) await look()
  }
  const acquire: typeof refresher.acquire = async request => {
    try {
      return await refresher.acquire(request)
    } catch (error) {
      if (error instanceof AuthorizationRequiredError) publish(records.current, error.reason)
      throw error
    }
  }
  /** The same, watched. */
  const getToken = async (rejected?: string, signal?: AbortSignal): Promise<string> => {
    const ended = watch.begin(participant, rejected ? `acquire(${rejected})` : 'acquire()')
    let wanted = records.current?.sessionId
    try {
      let accessToken = rejected === undefined ? ready() : undefined
      if (accessToken === undefined) {
        if (rejected === undefined) await started()
        wanted = records.current?.sessionId
        accessToken = await acquire({ rejected, signal })
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
        realm.later(random.between(1, world.parameters.apiMs), 'network', () => resolve(accepted))
      })
    })

  const share = singleFlight<void>()
  return Object.assign(participant, {
    holds: () => records.current,
    async start() {
      await look()
      const cutOff = records.current
      // a lock that somebody else holds for long may keep it from that
      if (!cutOff?.pending || world.parameters.lock === 'lease' || !world.isSound) return
      realm.later(TAKEN_UP_MS, 'call', () => {
        const stored = world.stored()
        if (stored?.sessionId !== cutOff.sessionId || stored.version !== cutOff.version) return
        if (stored.pending?.sentAt !== cutOff.pending?.sentAt) return
        watch.violate('a refresh that was cut off is taken up', `${id} started and let it lie`)
      })
    },
    async call(signal?: AbortSignal): Promise<'accepted' | 'refused'> {
      counts.calls++
      const accessToken = await getToken(undefined, signal)
      const began = watch.sessionOf(accessToken)
      if (await asksApi(accessToken)) return 'accepted'
      counts.unauthorized++
      say(id, `${accessToken}: 401`)
      if (records.current && records.current.sessionId !== began) world.meet('another session before a 401')
      const renewed = await getToken(accessToken, signal)
      const isSame = watch.sessionOf(renewed) === began
      if (renewed === accessToken || !(isSame || world.missing.includes('replay-within-session')))
        return 'refused'
      watch.replays(participant, accessToken, renewed)
      return (await asksApi(renewed)) ? 'accepted' : 'refused'
    },
    signIn: () =>
      share('sign-in', async () => {
        const { family, response } = server.signIn(random.pick(['alice', 'bob']))
        say(id, `signs in: ${family.id}`)
        await records.read()
        const tokens = toTokenSet(
          { response, claims: undefined },
          { receivedAt: clock.now(), leewaySeconds: 60, scope: 'openid' },
        )
        const record: SessionRecord = { schema: 1, sessionId: family.id, version: 1, tokens }
        try {
          await records.replace(record)
        } catch (error) {
          if (!(error instanceof StorageError)) throw error
          records.keep(record)
          emit({ type: 'storage-degraded', message: error.message })
        }
        changed(record, record.sessionId)
        await look()
      }),
    async signOut() {
      const before = records.current
      say(id, `signs out of ${before?.sessionId}`)
      watch.told(participant, 'signed_out')
      try {
        const ended = (await records.clear()) ?? before
        if (!ended) return
        changed(undefined, ended.sessionId, 'signed_out')
        participant.left.add(ended.sessionId)
        revoke(ended.tokens.refreshToken as string)
      } finally {
        watch.told(participant, 'signed_out') // it may have been frozen meanwhile
        records.forget()
        publish(undefined, 'signed_out')
      }
    },
    async wake() {
      if (view.session.status === 'starting') return
      refresher.wake()
      const reading = look()
        .catch(() => {})
        .finally(() => {
          if (waking === reading) waking = undefined
        })
      waking = reading
      await reading
    },
    hear(news: News) {
      if ('sessionId' in news && !world.missing.includes('kept-until-the-end')) records.drop(news.sessionId)
      if (view.session.status === 'starting') return
      void look('reason' in news ? (news.reason as EndReason) : undefined).catch(() => {})
    },
  })
}
