import { describe, expect, test } from 'vitest'
import { retryAfterMs } from '../../../src/authorization/failure.ts'

const NOW = Date.parse('2026-11-22T10:00:00Z')
const answer = (headers: Record<string, string>) => new Response(null, { status: 429, headers })
const wait = (value: string, date?: string) =>
  retryAfterMs(answer({ 'retry-after': value, ...(date ? { date } : {}) }), NOW)

describe('Retry-After', () => {
  test('in seconds is that number of seconds [RA01]', () => {
    expect(wait('120')).toBe(120_000)
    expect(wait('0')).toBe(0)
    expect(wait('007')).toBe(7000)
  })

  test.for([
    ['Sun, 22 Nov 2026 10:01:00 GMT', 'as dates are written today'],
    ['Sunday, 22-Nov-26 10:01:00 GMT', 'as in RFC 850'],
    ['Sun Nov 22 10:01:00 2026', 'as asctime() writes it'],
  ])('as the date %s, %s, is the time until then [RA02]', ([value]) => {
    expect(wait(value as string)).toBe(60_000)
  })

  test("as a date is compared with the Date of the same response, whatever this device's clock says [RA02]", () => {
    expect(wait('Mon, 23 Nov 2026 12:00:30 GMT', 'Mon, 23 Nov 2026 12:00:00 GMT')).toBe(30_000)
  })

  test('as a past date means no wait [RA03]', () => {
    expect(wait('Sun, 22 Nov 2026 09:59:00 GMT')).toBe(0)
  })

  test.for(
    ['-5', 'abc', '1.5', '0x1', '1e0', '', '1, 2', '2026', ' ', '+3', 'Infinity'].map(value => [value]),
  )('as "%s" is taken literally or ignored, and is never a long wait [RA04]', ([value]) => {
    const expected = value === '2026' ? 2_026_000 : undefined
    expect(wait(value as string)).toBe(expected)
  })

  test('never makes a session wait for more than an hour [RA05]', () => {
    expect(wait('99999999999')).toBe(3_600_000)
    expect(wait('9'.repeat(400))).toBe(3_600_000)
    expect(wait('Fri, 22 Nov 2126 10:00:00 GMT')).toBe(3_600_000)
  })

  test('that is missing means no wait', () => {
    expect(retryAfterMs(answer({}), NOW)).toBeUndefined()
  })
})
