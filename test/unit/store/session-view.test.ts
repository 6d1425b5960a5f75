import { describe, expect, test } from 'vitest'
import type { EventBody } from '../../../src/core/events.ts'
import type { Session, SessionRecord } from '../../../src/core/session.ts'
import type { EndReason } from '../../../src/errors.ts'
import { createSessionView } from '../../../src/store/session-view.ts'
import { handClock } from '../../support/clock.ts'

const record = (version: number, sessionId = 'lk.test.1'): SessionRecord => ({
  schema: 1,
  sessionId,
  version,
  tokens: { accessToken: 'a', refreshToken: 'r', scope: 'read', expiresAt: 5000 },
})

function createView() {
  const told: EventBody[] = []
  const ends: EndReason[] = []
  const seen: Session[] = []
  const clock = handClock({ startAt: 1000 })
  const view = createSessionView({ clock, emit: event => told.push(event), ended: why => ends.push(why) })
  view.subscribe(session => seen.push(session))
  return { view, told, ends, seen, clock }
}

describe('the session as the app sees it', () => {
  test('is starting before anything was read', () => {
    expect(createView().view.session).toEqual({ status: 'starting' })
  })

  test('is the same object until something changes', () => {
    const { view, seen } = createView()
    const first = view.publish(record(1))
    expect(view.publish({ ...record(1), pending: { tokenHash: 'x', sentAt: 1 } })).toBe(first)
    expect(view.session).toBe(first)
    expect(seen).toEqual([first])
    expect(view.publish(record(2))).not.toBe(first)
    expect(seen).toHaveLength(2)
  })

  test('is signed out when there is nothing, and says so once', () => {
    const { view, seen, told } = createView()
    view.publish(undefined)
    view.publish(undefined, 'signed_out')
    expect(seen).toEqual([{ status: 'signed-out' }])
    expect(told).toEqual([])
  })

  test('begins and ends with an event each', () => {
    const { view, told, ends } = createView()
    view.publish(record(1))
    view.publish(record(2))
    view.publish(undefined, 'expired')
    view.publish(undefined, 'signed_out')
    expect(told.map(({ type }) => type)).toEqual(['session-started', 'session-ended'])
    expect(ends).toEqual(['expired'])
    expect(view.session).toEqual({ status: 'signed-out', reason: 'expired' })
  })

  test('tells of a session that takes the place of another', () => {
    const { view, told } = createView()
    view.publish(record(1))
    view.publish(record(1, 'lk.test.2'))
    expect(told).toMatchObject([
      { type: 'session-started' },
      { type: 'session-ended', reason: 'replaced' },
      { type: 'session-started' },
    ])
  })

  test('is signed out when the tokens are over and nothing can renew them', () => {
    const { view, clock } = createView()
    const short = { ...record(1), tokens: { ...record(1).tokens, refreshToken: undefined } }
    expect(view.publish(short).status).toBe('signed-in')
    clock.advance(4000)
    expect(view.publish(short)).toEqual({ status: 'signed-out', reason: 'no_refresh_token' })
  })

  test('tells who subscribes until it unsubscribes, also while it is telling', () => {
    const { view } = createView()
    const heard: string[] = []
    const stopFirst = view.subscribe(() => {
      heard.push('first')
      stopFirst()
    })
    view.subscribe(() => heard.push('second'))
    view.publish(record(1))
    view.publish(record(2))
    expect(heard).toEqual(['first', 'second', 'second'])
    view.dispose()
    view.publish(record(3))
    expect(heard).toHaveLength(3)
  })
})
