/**
 * latchkey abandons a token request after 8 s. The time that the machine and the server need makes it a little less here.
 */
const GIVEN_UP_MS = 7500
/** A stopped holder of the lock is overtaken after 14 s. */
const OVERTAKEN_MS = 13_000

/** A process that sends refresh tokens, as the code that starts, stops and kills it sees it. */
export interface Sender {
  readonly name: string
  readonly isDead: boolean
  /** How long it has been stopped since it started to send its last token request. */
  readonly stoppedMs: number
}

/** Why a reused refresh token lost a session. */
export type Loss =
  /** It was sent again although its replacement was stored: always a fault. */
  | 'though-stored'
  /** Two living processes sent it, and the first had not given up: always a fault. */
  | 'by-two'
  /**
   * The first process was killed, or gave up, before its response was stored; or one of the two was stopped and overtaken
   * between its last check of the clock and its request. Without a grace period this loss is unavoidable.
   */
  | 'with-answer'

const worst: readonly Loss[] = ['with-answer', 'by-two', 'though-stored']

/** One refresh token. */
interface Redemption {
  readonly senders: {
    readonly by: Sender
    readonly at: number
    readonly isLate: boolean
    hasHungUp: boolean
  }[]
  /** The refresh token in the response. */
  next?: string
  isStored: boolean
  loss?: Loss
}

/**
 * Judges reused refresh tokens when the second request arrives, by what is known at that moment. The order in which the
 * server processes the requests means nothing: a killed process's request may take longer to arrive than its successor's,
 * and then the server sees it as the reuse.
 * @param now milliseconds of a clock that cannot be set.
 * @param report is told of each reuse that must never happen.
 */
export function createRedemptionJudge(now: () => number, report: (line: string) => void = () => {}) {
  const redemptions = new Map<string, Redemption>()
  return {
    get count() {
      return [...redemptions.values()].filter(({ next }) => next).length
    },
    /** A token request arrives. @returns a function to call if its sender disconnects before the response. */
    arrived(refreshToken: string, by: Sender): () => void {
      const redemption = redemptions.get(refreshToken) ?? { senders: [], isStored: false }
      redemptions.set(refreshToken, redemption)
      const at = now()
      const isLate = by.stoppedMs > OVERTAKEN_MS
      for (const first of redemption.senders) {
        const isOver = first.by.isDead || first.isLate || first.hasHungUp || at - first.at > GIVEN_UP_MS
        const isExcused = isLate || (isOver && !redemption.isStored)
        const loss = isExcused ? 'with-answer' : redemption.isStored ? 'though-stored' : 'by-two'
        if (loss !== 'with-answer')
          report(
            `${refreshToken} ${loss}: ${first.by.name}, ${by.name} ${Math.round(at - first.at)} ms later`,
          )
        if (!redemption.loss || worst.indexOf(loss) > worst.indexOf(redemption.loss)) redemption.loss = loss
      }
      const sender = { by, at, isLate, hasHungUp: false }
      redemption.senders.push(sender)
      return () => {
        sender.hasHungUp = true
      }
    },
    /** The server has redeemed it. */
    redeemed(refreshToken: string, next: string) {
      const redemption = redemptions.get(refreshToken)
      if (redemption) redemption.next = next
    },
    /** Tokens in the file count as stored, even if their process died before it could report it. */
    stored(file: string) {
      for (const redemption of redemptions.values())
        if (redemption.next && file.includes(redemption.next)) redemption.isStored = true
    },
    /** The server has ended the session because of the reuse. */
    lossOf: (refreshToken: string): Loss => redemptions.get(refreshToken)?.loss ?? 'though-stored',
  }
}
