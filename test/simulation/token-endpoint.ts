import { type Renewed, renew } from '../../src/authorization/renewal.ts'
import type { SessionRecord } from '../../src/core/session.ts'
import type { TokenResponse } from '../../src/core/token-set.ts'
import { withTimeLimit } from '../../src/core/waiting.ts'
import { NetworkError, ServerError } from '../../src/errors.ts'
import type { Participant } from './watch.ts'
import type { World } from './world.ts'

/** The same as in `authorization/endpoint.ts`. */
const REQUEST_MS = 8000
/** A response that takes longer than this counts as slow. */
const SLOW_MS = 5000

const unreachable = () => new NetworkError('The token endpoint could not be reached.', 'unreachable')

/** Errors of every class, from the server or an intermediary, without a redemption. */
const refusals = [
  () => new NetworkError('429', 'unavailable', { status: 429, retryAfterMs: 2000 }),
  () => new NetworkError('429', 'unavailable', { status: 429, retryAfterMs: 30_000 }),
  () => new NetworkError('503', 'unavailable', { status: 503 }),
  () => new NetworkError('a page of HTML', 'not_the_server', { status: 200 }),
  () => new ServerError('400', { error: 'invalid_client', status: 400 }),
]

/** Replaces a response that was lost after the server had redeemed. */
const losses = [
  unreachable,
  unreachable,
  () => new NetworkError('504', 'unavailable', { status: 504 }),
  () => new NetworkError('half an answer', 'not_the_server', { status: 200 }),
]

/** The reason why a response is rejected although it has spent the refresh token. */
const unfit = () => new ServerError('The answer bends a rule.', { error: 'invalid_response' })

/** The `redeem` port: one token request over the simulated network. */
export const redeemOver =
  (world: World, participant: Participant) =>
  (record: SessionRecord, attempt: number, hold: () => AbortSignal): Promise<Renewed> => {
    const { clock } = participant.realm
    const { random, missing, parameters, meet } = world
    const late = () => new NetworkError('The token endpoint did not answer within 8 s.', 'timeout')
    return withTimeLimit(
      clock,
      REQUEST_MS,
      async limit => {
        const response = await send(
          world,
          participant,
          record.tokens.refreshToken as string,
          hold,
          limit,
          attempt,
        )
        const isUnfit = world.disturbed && random.chance(parameters.server.unfit)
        if (isUnfit) {
          meet('unfit answer')
          world.say(participant.id, `cannot use ${response.access_token}`)
          if (missing.includes('unfit-answer-rotates')) throw unfit()
        }
        return renew(
          record,
          undefined,
          { response, claims: undefined, refused: isUnfit ? unfit() : undefined },
          { receivedAt: clock.now(), leewaySeconds: 60, scope: 'openid', strict: false, warn: () => {} },
        )
      },
      late,
    )
  }

function send(
  world: World,
  participant: Participant,
  refreshToken: string,
  hold: () => AbortSignal,
  limit: AbortSignal,
  attempt: number,
) {
  const { random, scheduler, server, say, counts, meet, parameters } = world
  const { realm, id } = participant
  const { delayMs, slow, lostBefore, lostAfter, refused } = world.weather()

  return new Promise<TokenResponse>((resolve, reject) => {
    const go = () => {
      const signals = [hold(), limit]
      for (const signal of signals) if (signal.aborted) return reject(signal.reason)
      const sent = world.presentations.send(realm, refreshToken, scheduler.now)
      counts.tokenRequests++
      say(id, `sends ${refreshToken}, attempt ${attempt}`)

      const settle = (state: typeof sent.state, work: () => void) => {
        if (sent.state !== 'waiting') return
        sent.state = state
        work()
      }
      for (const signal of signals) {
        signal.addEventListener('abort', () =>
          settle('given up', () => {
            meet('request given up')
            say(id, `gives ${refreshToken} up`)
            reject(signal.reason)
          }),
        )
      }
      const fail = (ms: number, error: Error) => {
        counts.lostAnswers++
        realm.later(ms, 'network', () =>
          settle('failed', () => {
            say(id, `${refreshToken}: ${error.message}`)
            reject(error)
          }),
        )
      }
      const wait = () => random.between(1, random.chance(slow) ? 20_000 : delayMs)
      const thinks = world.disturbed ? parameters.server.thinksMs : 0
      const answersAfter = thinks ? random.between(thinks / 100, thinks) : 0
      const redeemsAfter = random.between(0, answersAfter)
      if (answersAfter > SLOW_MS) meet('slow server')

      if (random.chance(lostBefore)) {
        meet('lost request')
        return fail(wait(), unreachable())
      }
      const isLost = random.chance(lostAfter)
      const refusal = random.chance(refused) ? random.pick(refusals)() : undefined
      scheduler.after(wait() + redeemsAfter, () => {
        const back = () => wait() + answersAfter - redeemsAfter
        if (refusal) {
          meet('refusal')
          return fail(back(), refusal)
        }
        const response = server.redeem(refreshToken)
        sent.granted = response?.refresh_token
        say(
          'server',
          response ? `${refreshToken} -> ${response.refresh_token}` : `${refreshToken} invalid_grant`,
        )
        if (isLost) {
          meet('lost answer')
          return fail(back(), random.pick(losses)())
        }
        realm.later(back(), 'network', () => {
          if (response) return settle('answered', () => resolve(response))
          settle('refused', () => {
            participant.lastRefused = sent
            say(id, `is told invalid_grant for ${refreshToken}`)
            reject(new ServerError('invalid_grant', { error: 'invalid_grant', status: 400 }))
          })
        })
      })
    }
    // credentials and proofs are created first
    realm.later(random.between(0, 3), 'network', go)
  })
}
