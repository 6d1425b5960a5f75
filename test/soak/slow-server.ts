import { setTimeout as wait } from 'node:timers/promises'
import type { KeptAnswer, RefreshHandler } from '../support/server.ts'

/** latchkey abandons a token request after 8 s. A response at about that time may or may not have arrived. */
const GIVEN_UP_MS = 8000
const ABOUT_MS = 500
const ANSWERS_MS = { first: 100, last: 12_000 }

/** The outcomes of sent refresh tokens, counted at the server. */
export interface SlowServer {
  readonly answerRefreshes: RefreshHandler
  readonly counts: {
    arrived: number
    answered: number
    /** Sent during a request with the same refresh token. */
    atOnce: number
    /** Sent again although its response had arrived. */
    afterItsAnswer: number
    /** Sent again after its request had been abandoned, as intended. */
    afterGivingUp: number
    /** Sent again after a response at about the time when the request would have been abandoned. */
    onTheEdge: number
    /** Answered with another status than 200. */
    refused: number
  }
}

interface Sent {
  underWay: number
  /** How long the response took, in milliseconds. */
  answeredAfterMs?: number
  answer?: Promise<KeptAnswer>
}

/**
 * Redeems a request at a random time before its response, even if the client has left, and repeats the same response for a
 * reused refresh token, like a server with a grace period. So no fault of a client ends its session before it is counted.
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
