import vm from 'node:vm'
import { describe, expect, test } from 'vitest'
import {
  bearer,
  type Call,
  createCallReader,
  type Init,
  type Input,
  isOpen,
  readTarget,
  withHeaders,
} from '../../../src/fetch/call.ts'

const url = 'https://api.example.com/me'
const mine = { 'x-mine': 'yes', 'Content-Type': 'text/plain' }
const reader = createCallReader()

const read = (input: Input, init?: Init): Call => {
  const call = reader.read(readTarget(input), init)
  if (!call) throw new Error('These are no options.')
  return reader.own(call)
}

/** The request that fetch would send. */
const sent = (input: Input, init?: Init) => {
  const request = new Request(...withHeaders(read(input, init), bearer('token')))
  return { method: request.method, headers: Object.fromEntries(request.headers) }
}
const expected = { authorization: 'Bearer token', 'content-type': 'text/plain', 'x-mine': 'yes' }

describe('the access token', () => {
  test.each<[string, () => [Input, Init?]]>([
    ['an object', () => [url, { headers: { ...mine } }]],
    ['Headers', () => [url, { headers: new Headers(mine) }]],
    ['an array', () => [url, { headers: Object.entries(mine) }]],
    ['a Map', () => [url, { headers: new Map(Object.entries(mine)) as unknown as [string, string][] }]],
    ['a Request', () => [new Request(url, { headers: mine })]],
    ['a Request with an empty init', () => [new Request(url, { headers: mine }), {}]],
    [
      'init, which replace those of a Request',
      () => [new Request(url, { headers: { other: 'x' } }), { headers: mine }],
    ],
    ['an object of another realm', () => [url, vm.runInNewContext('({ headers: value })', { value: mine })]],
  ])('is added to the headers of %s', (_what, args) => {
    const [input, init] = args()
    expect(sent(input, init).headers).toEqual(expected)
  })

  test('is put on a call without headers [RQ01]', () => {
    expect(sent(url).headers).toEqual({ authorization: 'Bearer token' })
    expect(sent(new URL(url), { method: 'DELETE' })).toMatchObject({ method: 'DELETE' })
  })

  test.each<[string, () => [Input, Init?]]>([
    ['an object', () => [url, { headers: { ...mine } }]],
    ['Headers', () => [url, { headers: new Headers(mine) }]],
    ['an array', () => [url, { headers: Object.entries(mine) }]],
    ['a Request', () => [new Request(url, { headers: mine })]],
    ['nothing', () => [url]],
  ])('replaces an older one in the headers of %s, which are otherwise unchanged', (_what, args) => {
    const call = read(...args())
    const first = withHeaders(call, bearer('old'))
    const second = withHeaders(call, bearer('token'))
    expect([first, second].map(each => new Request(...each).headers.get('authorization'))).toEqual([
      'Bearer old',
      'Bearer token',
    ])
  })

  test('changes nothing that the caller passed', () => {
    const list: [string, string][] = [['x-mine', 'yes']]
    const headers = new Headers(mine)
    const init = Object.freeze({ method: 'POST', headers: Object.freeze({ ...mine }), body: 'text' })
    const request = new Request(url, { headers: mine })
    expect(withHeaders(read(url, init), bearer('token'))[1]).toMatchObject({
      method: 'POST',
      body: 'text',
    })
    for (const call of [read(url, { headers: list }), read(url, { headers }), read(request)]) {
      withHeaders(call, bearer('token'))
    }
    expect(list).toEqual([['x-mine', 'yes']])
    expect(headers.has('authorization')).toBe(false)
    expect(request.headers.has('authorization')).toBe(false)
  })

  test('keeps all other options', () => {
    const { signal } = new AbortController()
    const init: RequestInit = {
      signal,
      cache: 'no-store',
      credentials: 'include',
      redirect: 'error',
      keepalive: true,
    }
    expect(withHeaders(read(url, init), bearer('token'))[1]).toMatchObject(init)
  })
})

describe('an Authorization header of the caller', () => {
  test.each<[string, () => [Input, Init?]]>([
    ['an object', () => [url, { headers: { aUTHORIZATION: 'x' } }]],
    ['Headers', () => [url, { headers: new Headers({ Authorization: 'x' }) }]],
    ['Headers', () => [url, { headers: [['AUTHORIZATION', 'x']] }]],
    ['a Request', () => [new Request(url, { headers: { authorization: 'x' } })]],
    ['an empty string', () => [url, { headers: { authorization: '' } }]],
  ])('is found in %s', (_what, args) => {
    expect(isOpen(read(...args()))).toBe(false)
  })

  test.each<[string, () => [Input, Init?]]>([
    ['without headers', () => [url]],
    ['with other headers', () => [url, { headers: { 'x-authorization': 'x', 'proxy-authorization': 'x' } }]],
    [
      'when init replaces it',
      () => [new Request(url, { headers: { authorization: 'x' } }), { headers: mine }],
    ],
    [
      'in an inherited member',
      () => [url, { headers: Object.create({ authorization: 'x' }) as Record<string, string> }],
    ],
  ])('is not found %s', (_what, args) => {
    expect(isOpen(read(...args()))).toBe(true)
  })
})

describe('a call is read', () => {
  const other = { 'x-mine': 'yes' }

  test('once, so later changes by the caller have no effect', () => {
    const headers = { ...other }
    const list = Object.entries(other) as [string, string][]
    const request = new Request(url, { headers: other })
    const calls = [headers, list, new Headers(other)].map(source => ({
      source,
      call: read(url, { headers: source }),
    }))
    const ofRequest = read(request)
    headers['x-mine'] = 'no'
    ;(list[0] as [string, string])[1] = 'no'
    request.headers.set('x-mine', 'no')
    for (const { source, call } of calls) {
      if (source instanceof Headers) source.set('x-mine', 'no')
      expect(new Headers(call.headers as HeadersInit).get('x-mine')).toBe('yes')
    }
    expect(new Headers(ofRequest.headers as HeadersInit).get('x-mine')).toBe('yes')
  })

  test.each<[string, (log: string[]) => Input]>([
    ['a URL', () => new URL(url)],
    [
      'an object that stringifies to a URL, such as a link',
      log => ({ toString: () => url.slice(0, url.length * log.push('toString')) }) as unknown as Input,
    ],
  ])('with %s as its address, which becomes a string [F3.1]', (_what, make) => {
    const log: string[] = []
    expect(readTarget(make(log))).toMatchObject({ input: url, address: url })
    expect(log.length).toBeLessThanOrEqual(1)
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
  ])('with members inherited from %s', (_what, init) => {
    expect(read(url, init)).toMatchObject({
      init: { method: 'POST', body: 'text' },
      headers: Object.entries(other),
    })
  })

  test('in the order of fetch itself, each getter once [F3.10]', () => {
    const logged = (log: string[]) =>
      new Proxy(
        { method: 'POST', headers: other, body: 'text', keepalive: false, redirect: 'follow' },
        {
          get(target, name) {
            log.push(String(name))
            return Reflect.get(target, name)
          },
        },
      ) as RequestInit
    const [bare, ours]: [string[], string[]] = [[], []]
    new Request(url, logged(bare))
    read(url, logged(ours))
    expect(ours).toEqual(bare)
  })

  test('with runtime-specific members, unchanged', () => {
    const own = { dispatcher: {}, cf: { ttl: 1 }, next: { tags: ['a'] }, [Symbol.for('mine')]: {} }
    const { init } = read(url, own as RequestInit)
    for (const name of Reflect.ownKeys(own)) {
      expect(init?.[name]).toBe((own as Record<PropertyKey, unknown>)[name])
    }
  })

  test.each(['text', 5, true].map(init => [init]))('but not if its options are %j', init => {
    expect(reader.read(readTarget(url), init as unknown as Init)).toBeUndefined()
  })

  test.each<[string, Init]>([
    ['no options', undefined],
    ['empty options', {}],
    ['a member that is undefined', { signal: undefined }],
    ["a library's own option", { retry: 3 } as RequestInit],
  ])('with the referrer and referrer policy of a Request, next to %s [F3.2]', (_what, init) => {
    const request = new Request(url, { referrerPolicy: 'no-referrer', referrer: '' })
    const call = read(request, init)
    const sentAs = new Request(...withHeaders(call, bearer('token')))
    expect(sentAs).toMatchObject({ referrerPolicy: 'no-referrer', referrer: '' })
    const redirected = new Request(...withHeaders(call, bearer('token'), 'manual'))
    expect(redirected).toMatchObject({ referrerPolicy: 'no-referrer', referrer: '', redirect: 'manual' })
    expect(request.headers.has('authorization')).toBe(false)
  })

  test('without the referrer of a Request when fetch drops it', () => {
    const request = new Request(url, { referrerPolicy: 'no-referrer' })
    const bare = new Request(request, { method: 'PUT' })
    const ours = new Request(...withHeaders(read(request, { method: 'PUT' }), bearer('token')))
    expect(ours.referrerPolicy).toBe(bare.referrerPolicy)
  })

  test('with a Request that has a body, which is consumed immediately [F3.3]', () => {
    const request = new Request(url, { method: 'POST', body: 'text' })
    read(request)
    expect(request.bodyUsed).toBe(true)
    expect(() => read(request)).toThrow(TypeError)
  })

  test('with a Request of another library, as its address and options', () => {
    const foreign = {
      url,
      method: 'PUT',
      headers: new Headers(other),
      clone() {},
      toString: () => 'https://evil.example/',
    }
    const target = readTarget(foreign as unknown as Request)
    const call = reader.read(target, undefined) as Call
    expect(new Request(...withHeaders(call, bearer('token')))).toMatchObject({ url, method: 'PUT' })
  })
})
