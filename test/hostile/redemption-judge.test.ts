import { beforeEach, describe, expect, test } from 'vitest'
import { createRedemptionJudge, type Sender } from '../soak/redemption-judge.ts'

const sender = (name: string): Sender & { isDead: boolean; stoppedMs: number } => ({
  name,
  isDead: false,
  stoppedMs: 0,
})

describe('the judge of the storms of processes', () => {
  let now = 0
  let judge = createRedemptionJudge(() => now)
  beforeEach(() => {
    now = 0
    judge = createRedemptionJudge(() => now)
  })

  test('finds a refresh token that is sent again although what it was redeemed for is stored', () => {
    judge.arrived('one', sender('a'))
    judge.redeemed('one', 'two')
    judge.stored('{"refreshToken":"two"}')
    judge.arrived('one', sender('b'))
    expect(judge.lossOf('one')).toBe('though-stored')
  })

  test('finds two who are awake and send one refresh token, whatever becomes of the first later', () => {
    const first = sender('a')
    judge.arrived('one', first)
    now = 400
    judge.arrived('one', sender('b'))
    first.isDead = true
    expect(judge.lossOf('one')).toBe('by-two')
  })

  test('finds one who took over from a process that is stopped for a moment', () => {
    const first = sender('a')
    judge.arrived('one', first)
    first.stoppedMs = 1500
    now = 1500
    judge.arrived('one', sender('b'))
    expect(judge.lossOf('one')).toBe('by-two')
  })

  test('excuses the successor of a killed process, though the server takes its request first and it stores the answer', () => {
    const first = sender('a')
    judge.arrived('one', first)
    now = 200
    first.isDead = true
    judge.arrived('one', sender('b'))
    judge.redeemed('one', 'two') // by b, whose request took less time
    judge.stored('{"refreshToken":"two"}')
    expect(judge.lossOf('one')).toBe('with-answer') // the server works on the one of a
  })

  test('finds a third one that comes when the successor of a killed process has stored the answer', () => {
    const first = sender('a')
    judge.arrived('one', first)
    first.isDead = true
    judge.arrived('one', sender('b'))
    judge.redeemed('one', 'two')
    judge.stored('{"refreshToken":"two"}')
    judge.arrived('one', sender('c'))
    expect(judge.lossOf('one')).toBe('though-stored')
  })

  test('excuses the successor of one who gave up: it hung up, or its time was over', () => {
    const hangUp = judge.arrived('one', sender('a'))
    hangUp()
    now = 100
    judge.arrived('one', sender('b'))
    expect(judge.lossOf('one')).toBe('with-answer')

    judge.arrived('two', sender('a'))
    now += 8000
    judge.arrived('two', sender('b'))
    expect(judge.lossOf('two')).toBe('with-answer')
  })

  test('excuses one who was stopped, and overtaken, just before it sent', () => {
    judge.arrived('one', sender('b'))
    judge.redeemed('one', 'two')
    judge.stored('{"refreshToken":"two"}')
    judge.arrived('one', { ...sender('a'), stoppedMs: 17_000 })
    expect(judge.lossOf('one')).toBe('with-answer')
  })
})
