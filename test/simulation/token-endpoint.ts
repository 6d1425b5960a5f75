import { withTimeLimit } from '../../src/core/time-limit.ts'
import { type TokenSet, toTokenSet } from '../../src/core/token-set.ts'
import { NetworkError, ServerError } from '../../src/errors.ts'
import type { Participant } from './watch.ts'
import type { World } from './world.ts'

/** As in `flow/transport.ts`. */
const REQUEST_MS = 8000

const unreachable = () => new NetworkError('The token endpoint could not be reached.', 'unreachable')

/** Errors of every class that the server, or something on the way to it, answers without redeeming. */
const refusals = [
  () => new NetworkError('429', 'unavailable', { status: 429, retryAfterMs: 2000 }),
  () => new NetworkError('429', 'unavailable', { status: 429, retryAfterMs: 30_000 }),
  () => new NetworkError('503', 'unavailable', { status: 503 }),
  () => new NetworkError('a page of HTML', 'not_the_server', { status: 200 }),
  () => new ServerError('400', { error: 'invalid_client', status: 400 }),
]

/** What comes instead of an answer that was lost after the server had redeemed. */
const losses = [
  unreachable,
  unreachable,
  () => new NetworkError('504', 'unavailable', { status: 504 }),
  () => new NetworkError('half an answer', 'not_the_server', { status: 200 }),
]

/** The `redeem` port: one token request over the model's network. */
export const redeemOver =
  (world: World, participant: Participant) =>
  (previous: TokenSet, attempt: number, hold: AbortSignal): Promise<TokenSet> => {
    const { clock } = participant.realm
    const late = () => new NetworkError('The token endpoint did not answer within 8 s.', 'timeout')
    return withTimeLimit(
      clock,
      REQUEST_MS,
      async limit => {
        const response = await send(
          world,
          participant,
          previous.refreshToken as string,
          [hold, limit],
          attempt,
        )
        return toTokenSet(
          { response, claims: undefined },
          { receivedAt: clock.now(), leewaySeconds: 60, scope: 'openid', previous },
        )
      },
      late,
    )
  }

function send(
  world: World,
  participant: Participant,
  refreshToken: string,
  signals: AbortSignal[],
  attempt: number,
) {
  const { random, scheduler, server, say, counts } = world
  const { realm, id } = participant
  const { delayMs, slow, lostBefore, lostAfter, refused } = world.weather()

  return new Promise<NonNullable<ReturnType<typeof server.redeem>>>((resolve, reject) => {
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

    if (random.chance(lostBefore)) return fail(wait(), unreachable())
    const isLost = random.chance(lostAfter)
    const refusal = random.chance(refused) ? random.pick(refusals)() : undefined
    scheduler.after(wait(), () => {
      if (refusal) return fail(wait(), refusal)
      const response = server.redeem(refreshToken)
      sent.granted = response?.refresh_token
      say(
        'server',
        response ? `${refreshToken} -> ${response.refresh_token}` : `${refreshToken} invalid_grant`,
      )
      if (isLost) return fail(wait(), random.pick(losses)())
      realm.later(wait(), 'network', () => {
        if (response) return settle('answered', () => resolve(response))
        settle('refused', () => {
          participant.lastRefused = sent
          say(id, `is told invalid_grant for ${refreshToken}`)
          reject(new ServerError('invalid_grant', { error: 'invalid_grant', status: 400 }))
        })
      })
    })
  })
}
