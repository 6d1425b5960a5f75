import { beforeEach, describe, expect, test } from 'vitest'
import { createRedemptionJudge, type Sender } from '../soak/redemption-judge.ts'

const sender = (name: string): Sender & { isDead: boolean; stoppedMs: number } => ({
  name,
  isDead: false,
  stoppedMs: 0,
})

describe('the judge of the process storms', () => {
  let now = 0
  let judge = createRedemptionJudge(() => now)
  beforeEach(() => {
    now = 0
    judge = createRedemptionJudge(() => now)
  })

  test('detects a refresh token that is sent again after its replacement was stored', () => {
    judge.arrived('one', sender('a'))
    judge.redeemed('one', 'two')
    judge.stored('{"refreshToken":"two"}')
    judge.arrived('one', sender('b'))
    expect(judge.lossOf('one')).toBe('though-stored')
  })

  test('detects two running processes that send one refresh token, whatever happens to the first later', () => {
    const first = sender('a')
    judge.arrived('one', first)
    now = 400
    judge.arrived('one', sender('b'))
    first.isDead = true
    expect(judge.lossOf('one')).toBe('by-two')
  })

  test('detects a process that took over from one that is briefly stopped', () => {
    const first = sender('a')
    judge.arrived('one', first)
    first.stoppedMs = 1500
    now = 1500
    judge.arrived('one', sender('b'))
    expect(judge.lossOf('one')).toBe('by-two')
  })

  test('excuses the successor of a killed process, even if the server processes its request first and it stores the response', () => {
    const first = sender('a')
    judge.arrived('one', first)
    now = 200
    first.isDead = true
    judge.arrived('one', sender('b'))
    judge.redeemed('one', 'two') // by b, whose request took less time
    judge.stored('{"refreshToken":"two"}')
    expect(judge.lossOf('one')).toBe('with-answer') // the server processes the request of a
  })

  test("detects a third process that arrives after the killed process's successor has stored the response", () => {
    const first = sender('a')
    judge.arrived('one', first)
    first.isDead = true
    judge.arrived('one', sender('b'))
    judge.redeemed('one', 'two')
    judge.stored('{"refreshToken":"two"}')
    judge.arrived('one', sender('c'))
    expect(judge.lossOf('one')).toBe('though-stored')
  })

  test('excuses the successor of a process that gave up: it disconnected, or its time limit passed', () => {
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

  test('excuses a process that was stopped and overtaken just before it sent', () => {
    judge.arrived('one', sender('b'))
    judge.redeemed('one', 'two')
    judge.stored('{"refreshToken":"two"}')
    judge.arrived('one', { ...sender('a'), stoppedMs: 17_000 })
    expect(judge.lossOf('one')).toBe('with-answer')
  })

  test('excuses it also if the request of the process that overtook it arrives last', () => {
    judge.arrived('one', { ...sender('a'), stoppedMs: 17_000 })
    now = 200
    judge.arrived('one', sender('b'))
    expect(judge.lossOf('one')).toBe('with-answer')
    judge.redeemed('one', 'two')
    judge.stored('{"refreshToken":"two"}')
    judge.arrived('one', sender('c'))
    expect(judge.lossOf('one')).toBe('though-stored')
  })

  test('reports who sent a refresh token twice, and when', () => {
    const lines: string[] = []
    const reporting = createRedemptionJudge(
      () => now,
      line => lines.push(line),
    )
    reporting.arrived('one', sender('a'))
    now = 400
    reporting.arrived('one', sender('b'))
    expect(lines).toEqual(['one by-two: a, b 400 ms later'])
  })
})
