import { setTimeout as wait } from 'node:timers/promises'
import type { KeptAnswer, RefreshHandler } from '../support/server.ts'

/** latchkey gives a token request up after 8 s: what is answered about then may or may not have arrived. */
const GIVEN_UP_MS = 8000
const ABOUT_MS = 500
const ANSWERS_MS = { first: 100, last: 12_000 }

/** What came of refresh tokens that were sent, counted where they arrive. */
export interface SlowServer {
  readonly answerRefreshes: RefreshHandler
  readonly counts: {
    arrived: number
    answered: number
    /** Sent while a request with the same refresh token was under way. */
    atOnce: number
    /** Sent again although its answer had arrived. */
    afterItsAnswer: number
    /** Sent again after its answer had been given up: as it should be. */
    afterGivingUp: number
    /** Sent again after an answer that came about when it would have been given up. */
    onTheEdge: number
    /** Not answered with 200. */
    refused: number
  }
}

interface Sent {
  underWay: number
  /** When the answer had been handed over, after so many milliseconds. */
  answeredAfterMs?: number
  answer?: Promise<KeptAnswer>
}

/**
 * Redeems what has arrived at any time before it answers, also for a client that has left, and gives the same answer to a
 * refresh token that comes again: a server with a grace period. So no mistake of a client ends its session before it is
 * counted.
 */
export function slowServer(random: () => number): SlowServer {
  const tokens = new Map<string, Sent>()
  const counts = {
    arrived: 0,
    answered: 0,
    atOnce: 0,
    afterItsAnswer: 0,
    afterGivingUp: 0,
    onTheEdge: 0,
    refused: 0,
  }
  return {
    counts,
    async answerRefreshes(refreshToken, response, redeem) {
      const from = performance.now()
      const sent: Sent = tokens.get(refreshToken) ?? { underWay: 0 }
      const isNew = !tokens.has(refreshToken)
      tokens.set(refreshToken, sent)
      counts.arrived++
      if (sent.underWay) counts.atOnce++
      else if (sent.answeredAfterMs === undefined) counts.afterGivingUp += isNew ? 0 : 1
      else if (sent.answeredAfterMs < GIVEN_UP_MS - ABOUT_MS) counts.afterItsAnswer++
      else counts.onTheEdge++

      sent.underWay++
      response.once('close', () => {
        sent.underWay--
        if (!response.writableFinished) return
        counts.answered++
        sent.answeredAfterMs ??= performance.now() - from
      })
      const answerMs = ANSWERS_MS.first + random() * (ANSWERS_MS.last - ANSWERS_MS.first)
      sent.answer ??= wait(answerMs * random()).then(redeem)
      const [{ status, headers, body }] = await Promise.all([sent.answer, wait(answerMs)])
      if (status !== 200) counts.refused++
      if (!response.destroyed) response.writeHead(status, headers).end(body)
    },
  }
}
