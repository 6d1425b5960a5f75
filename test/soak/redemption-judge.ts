/** A token request is given up after 8 s; what the machine and the server take beside it makes it a little less here. */
const GIVEN_UP_MS = 7500
/** A holder of the lock that is stopped is overtaken after 14 s. */
const OVERTAKEN_MS = 13_000

/** A process that sends refresh tokens, as whoever starts, stops and kills it knows it. */
export interface Sender {
  readonly name: string
  readonly isDead: boolean
  /** Since it asked to send its last token request: how long it has been stopped. */
  readonly stoppedMs: number
}

/** Why a session was lost by a refresh token that came twice. */
export type Loss =
  /** It was sent again although what it had been redeemed for was stored: never right. */
  | 'though-stored'
  /** Two sent it who were both alive, and the first had not given up: never right. */
  | 'by-two'
  /**
   * The first was killed, or gave up, before its answer was stored; or the second was stopped, and overtaken, between its
   * last look at the clock and its request. Without a grace period nobody can help.
   */
  | 'with-answer'

const worst: readonly Loss[] = ['with-answer', 'by-two', 'though-stored']

/** One refresh token. */
interface Redemption {
  readonly senders: { readonly by: Sender; readonly at: number; hasHungUp: boolean }[]
  /** The refresh token of the answer. */
  next?: string
  isStored: boolean
  loss?: Loss
}

/**
 * Judges refresh tokens that come twice: when the second arrives, by what is known in that moment. The order in which the
 * server works on them tells nothing: the request of a process that was killed may be under way for longer than the one of
 * its successor, and is then the one that the server takes for the reuse.
 * @param now milliseconds by a clock that nobody can set.
 */
export function createRedemptionJudge(now: () => number) {
  const redemptions = new Map<string, Redemption>()
  return {
    get count() {
      return [...redemptions.values()].filter(({ next }) => next).length
    },
    /** A token request arrives. @returns what is to be called when its sender hangs up before it is answered. */
    arrived(refreshToken: string, by: Sender): () => void {
      const redemption = redemptions.get(refreshToken) ?? { senders: [], isStored: false }
      redemptions.set(refreshToken, redemption)
      const at = now()
      for (const first of redemption.senders) {
        const isOver = first.by.isDead || first.hasHungUp || at - first.at > GIVEN_UP_MS
        const isLate = by.stoppedMs > OVERTAKEN_MS
        const isExcused = isLate || (isOver && !redemption.isStored)
        const loss = isExcused ? 'with-answer' : redemption.isStored ? 'though-stored' : 'by-two'
        if (!redemption.loss || worst.indexOf(loss) > worst.indexOf(redemption.loss)) redemption.loss = loss
      }
      const sender = { by, at, hasHungUp: false }
      redemption.senders.push(sender)
      return () => {
        sender.hasHungUp = true
      }
    },
    /** It was redeemed. */
    redeemed(refreshToken: string, next: string) {
      const redemption = redemptions.get(refreshToken)
      if (redemption) redemption.next = next
    },
    /** What stands in the file is stored, whoever did not live to tell. */
    stored(file: string) {
      for (const redemption of redemptions.values())
        if (redemption.next && file.includes(redemption.next)) redemption.isStored = true
    },
    /** The server has ended the session because it came again. */
    lossOf: (refreshToken: string): Loss => redemptions.get(refreshToken)?.loss ?? 'though-stored',
  }
}
