import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Random } from '../simulation/scheduler.ts'
import { createRedemptionJudge, type Loss, type Sender } from './redemption-judge.ts'

/** The token endpoint's response time: from, to. Half of it passes before it redeems. */
const LATENCY_MS = [10, 120] as const

/** One session at the server. */
export interface Family {
  readonly user: string
  /** All its refresh tokens, the newest last. */
  readonly refreshTokens: string[]
  accessToken: string
  expiresAt: number
  /** Why the server ended it. */
  loss?: Loss | 'failover' | 'unstored'
}

/** The first request with a refresh token. */
interface Sent {
  readonly by: string
  readonly at: number
}

export interface RotatingServerOptions {
  readonly random: Random
  readonly accessTokenSeconds: number
  /** The sender, by the name in the address of the token endpoint. */
  senderOf(name: string): Sender | undefined
  /** The refresh token that is currently stored for the user. */
  storedFor(user: string): Promise<string | undefined>
  /** Whether a process was killed or stopped after this moment. */
  wasDisturbedSince(name: string, at: number): boolean
  /** Whether a failover replaced the database after this moment, which may have lost the latest writes. */
  wasFailedOverSince(at: number): boolean
  readonly say?: (line: string) => void
}

/** A server that rotates refresh tokens, has no grace period, and ends a session whose old token is reused. */
export async function startRotatingServer(options: RotatingServerOptions) {
  const { random } = options
  const families: Family[] = []
  const byRefreshToken = new Map<string, Family>()
  const byAccessToken = new Map<string, Family>()
  const firstSent = new Map<string, Sent>()
  const judge = createRedemptionJudge(() => performance.now(), options.say)
  const counts = { rotations: 0, presented: 0, calls: 0 }

  const issue = (family: Family) => {
    const number = counts.rotations + families.length
    const refreshToken = `refresh-${number}`
    family.refreshTokens.push(refreshToken)
    family.accessToken = `access-${number}`
    family.expiresAt = Date.now() + options.accessTokenSeconds * 1000
    byRefreshToken.set(refreshToken, family)
    byAccessToken.set(family.accessToken, family)
    return { accessToken: family.accessToken, refreshToken, expiresAt: family.expiresAt }
  }

  /** A reuse: the reason, as far as it can be known at this moment. */
  const judgeReuse = async (family: Family, sent: string, by: Sender, first: Sent) => {
    const { user, refreshTokens } = family
    const stored = await options.storedFor(user)
    const [at, now] = [refreshTokens.indexOf(sent), refreshTokens.indexOf(stored ?? '')]
    if (now > at) judge.stored(refreshTokens.slice(at + 1, now + 1).join())
    const hangUp = judge.arrived(sent, by)
    const loss = judge.lossOf(sent)
    if (loss !== 'with-answer') family.loss ??= options.wasFailedOverSince(first.at) ? 'failover' : loss
    else family.loss ??= options.wasDisturbedSince(first.by, first.at) ? loss : 'unstored'
    return hangUp
  }

  const redeem = (sent: string, family: Family | undefined): [number, object] => {
    const isNewest = family?.refreshTokens.at(-1) === sent
    if (!family || family.loss || !isNewest) return [400, { error: 'invalid_grant' }]
    counts.rotations++
    const { accessToken, refreshToken } = issue(family)
    judge.redeemed(sent, refreshToken)
    const { accessTokenSeconds: expires_in } = options
    const token = { access_token: accessToken, refresh_token: refreshToken, token_type: 'Bearer' }
    return [200, { ...token, expires_in, scope: 'read' }]
  }

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (url.pathname !== '/token') {
      counts.calls++
      const accessToken = request.headers.authorization?.replace('Bearer ', '') ?? ''
      const family = byAccessToken.get(accessToken)
      const isGood = family && !family.loss && family.accessToken === accessToken
      if (isGood && Date.now() < family.expiresAt) return answer(200, {})
      response.setHeader('www-authenticate', 'Bearer error="invalid_token"')
      return answer(401, {})
    }
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    const sent = form.get('refresh_token') ?? ''
    const family = byRefreshToken.get(sent)
    const by = options.senderOf(url.searchParams.get('by') ?? '')
    const isPresented = family !== undefined && !family.loss && by !== undefined
    if (isPresented) {
      const first = firstSent.get(sent)
      firstSent.set(sent, first ?? { by: by.name, at: performance.now() })
      const hangUp = first ? await judgeReuse(family, sent, by, first) : judge.arrived(sent, by)
      response.once('close', () => response.writableFinished || hangUp())
    }
    const latency = random.between(...LATENCY_MS)
    await wait(latency / 2)
    if (isPresented) counts.presented++ // together with its rotation: the last request may still be under way
    const [status, body] = redeem(sent, family)
    await wait(latency / 2)
    answer(status, body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    families,
    counts,
    /** A user signs in. */
    signIn(user: string) {
      const family: Family = { user, refreshTokens: [], accessToken: '', expiresAt: 0 }
      families.push(family)
      return issue(family)
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
