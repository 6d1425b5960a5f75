import { describe, expect, test } from 'vitest'
import {
  bearer,
  hasAuthorization,
  type Init,
  type Input,
  settle,
  withHeaders,
} from '../../../src/fetch/attach.ts'

const url = 'https://api.example.com/me'
const mine = { 'x-mine': 'yes', 'Content-Type': 'text/plain' }

/** What fetch would send. */
const sent = (input: Input, init: Init) => {
  const request = new Request(...withHeaders([input, init], bearer('token')))
  return { method: request.method, headers: Object.fromEntries(request.headers) }
}
const expected = { authorization: 'Bearer token', 'content-type': 'text/plain', 'x-mine': 'yes' }

describe('the access token', () => {
  test.each<[string, () => [Input, Init?]]>([
    ['an object', () => [url, { headers: { ...mine } }]],
    ['Headers', () => [url, { headers: new Headers(mine) }]],
    ['a list', () => [url, { headers: Object.entries(mine) }]],
    ['a Map', () => [url, { headers: new Map(Object.entries(mine)) as unknown as [string, string][] }]],
    ['a Request', () => [new Request(url, { headers: mine })]],
    ['a Request with an empty init', () => [new Request(url, { headers: mine }), {}]],
    [
      'init, in place of those of a Request',
      () => [new Request(url, { headers: { other: 'x' } }), { headers: mine }],
    ],
  ])('is put beside the headers of %s', (_what, args) => {
    const [input, init] = args()
    expect(sent(input, init).headers).toEqual(expected)
  })

  test('is put on a call without headers [RQ01]', () => {
    expect(sent(url, undefined).headers).toEqual({ authorization: 'Bearer token' })
    expect(sent(new URL(url), { method: 'DELETE' })).toMatchObject({ method: 'DELETE' })
  })

  test('changes nothing that the caller handed over', () => {
    const list: [string, string][] = [['x-mine', 'yes']]
    const headers = new Headers(mine)
    const init = Object.freeze({ method: 'POST', headers: Object.freeze({ ...mine }), body: 'text' })
    const request = new Request(url, { headers: mine })
    expect(withHeaders([url, init], bearer('token'))[1]).toMatchObject({ method: 'POST', body: 'text' })
    withHeaders([url, { headers: list }], bearer('token'))
    withHeaders([url, { headers }], bearer('token'))
    withHeaders([request], bearer('token'))
    expect(list).toEqual([['x-mine', 'yes']])
    expect(headers.has('authorization')).toBe(false)
    expect(request.headers.has('authorization')).toBe(false)
  })

  test('drops nothing of the other options', () => {
    const { signal } = new AbortController()
    const init: RequestInit = {
      signal,
      cache: 'no-store',
      credentials: 'include',
      redirect: 'error',
      keepalive: true,
    }
    expect(withHeaders([url, init], bearer('token'))[1]).toMatchObject(init)
  })
})

describe('an Authorization of the caller', () => {
  test.each<[string, () => [Input, Init?]]>([
    ['an object', () => [url, { headers: { aUTHORIZATION: 'x' } }]],
    ['Headers', () => [url, { headers: new Headers({ Authorization: 'x' }) }]],
    ['a list', () => [url, { headers: [['AUTHORIZATION', 'x']] }]],
    ['a Request', () => [new Request(url, { headers: { authorization: 'x' } })]],
    ['an empty text', () => [url, { headers: { authorization: '' } }]],
  ])('is seen in %s', (_what, args) => {
    expect(hasAuthorization(args())).toBe(true)
  })

  test.each<[string, () => [Input, Init?]]>([
    ['without headers', () => [url]],
    ['with others', () => [url, { headers: { 'x-authorization': 'x', 'proxy-authorization': 'x' } }]],
    [
      'where init takes the place of it',
      () => [new Request(url, { headers: { authorization: 'x' } }), { headers: mine }],
    ],
    [
      'in an inherited member',
      () => [url, { headers: Object.create({ authorization: 'x' }) as Record<string, string> }],
    ],
  ])('is not seen %s', (_what, args) => {
    expect(hasAuthorization(args())).toBe(false)
  })
})

describe('what fetch reads of a call', () => {
  const other = { 'x-mine': 'yes' }

  test('is a copy: what the caller changes later does not matter', () => {
    const headers = { ...other }
    const list = Object.entries(other) as [string, string][]
    const calls = [headers, list, new Headers(other)].map(source => ({
      source,
      call: settle(url, { headers: source }),
    }))
    headers['x-mine'] = 'no'
    ;(list[0] as [string, string])[1] = 'no'
    for (const { source, call } of calls) {
      if (source instanceof Headers) source.set('x-mine', 'no')
      expect(new Headers(call?.[1]?.headers).get('x-mine')).toBe('yes')
    }
  })

  test.each<[string, object]>([
    ['a prototype', Object.create({ method: 'POST', body: 'text', headers: other })],
    [
      'a class',
      new (class {
        get method() {
          return 'POST'
        }
        get body() {
          return 'text'
        }
        get headers() {
          return other
        }
      })(),
    ],
  ])('is also what comes from %s', (_what, init) => {
    expect(settle(url, init)?.[1]).toMatchObject({ method: 'POST', body: 'text', headers: other })
  })

  test('keeps members that only one runtime knows, as they are', () => {
    const own = { dispatcher: {}, cf: { ttl: 1 }, next: { tags: ['a'] } }
    const init = settle(url, own as RequestInit)?.[1] as typeof own
    expect(init.dispatcher).toBe(own.dispatcher)
    expect(init.cf).toBe(own.cf)
    expect(init.next).toBe(own.next)
  })

  test.each([{ headers: null }, 'text', 5, true].map(init => [init]))(
    'is left to fetch where it is %j',
    init => {
      expect(settle(url, init as unknown as Init)).toBeUndefined()
    },
  )

  test('of a Request keeps its referrer and its policy', () => {
    const request = new Request(url, { referrerPolicy: 'no-referrer', referrer: '' })
    const [sentAs] = withHeaders([request], bearer('token'))
    expect((sentAs as Request).referrerPolicy).toBe('no-referrer')
    expect((sentAs as Request).headers.get('authorization')).toBe('Bearer token')
    expect(request.headers.has('authorization')).toBe(false)
  })
})
