import { describe, expect, test } from 'vitest'
import { hasAuthorization, type Init, type Input, withToken } from '../../../src/fetch/attach.ts'

const url = 'https://api.example.com/me'
const mine = { 'x-mine': 'yes', 'Content-Type': 'text/plain' }

/** What fetch would send. */
const sent = (input: Input, init: Init) => {
  const request = new Request(input, withToken(input, init, 'token'))
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

  test('is put on a call without headers', () => {
    expect(sent(url, undefined).headers).toEqual({ authorization: 'Bearer token' })
    expect(sent(new URL(url), { method: 'DELETE' })).toMatchObject({ method: 'DELETE' })
  })

  test('changes nothing that the caller handed over', () => {
    const list: [string, string][] = [['x-mine', 'yes']]
    const headers = new Headers(mine)
    const init = Object.freeze({ method: 'POST', headers: Object.freeze({ ...mine }), body: 'text' })
    const request = new Request(url, { headers: mine })
    expect(withToken(url, init, 'token')).toMatchObject({ method: 'POST', body: 'text' })
    withToken(url, { headers: list }, 'token')
    withToken(url, { headers }, 'token')
    withToken(request, undefined, 'token')
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
    expect(withToken(url, init, 'token')).toMatchObject(init)
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
    expect(hasAuthorization(...args())).toBe(true)
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
    expect(hasAuthorization(...args())).toBe(false)
  })
})
