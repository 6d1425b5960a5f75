import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cleanUrl, matchesRedirectUri, nameState, parseCallback } from '../../../src/core/callback.ts'

const page = 'https://app.example.com/callback'

describe('a URL is a callback for this client', () => {
  test.each([
    'code=abc&state=lk.redirect.xyz',
    'state=lk.redirect.xyz&error=access_denied',
    'a=b&code=&state=lk.redirect.x#c',
  ])('with %s', query => {
    const callback = parseCallback(`${page}?${query}`)
    expect(callback).toMatchObject({ userAgent: undefined, state: expect.stringMatching(/^lk\.redirect\./) })
    expect(callback?.url.href).toBe(`${page}?${query}`)
  })
})

test('a URL with the response in its fragment is a callback too, with the response in the query of its url [F8.2]', () => {
  for (const [address, url] of [
    [`${page}#code=a&state=lk.x`, `${page}?code=a&state=lk.x`],
    [`${page}?a=b#state=lk.x&error=e`, `${page}?a=b&state=lk.x&error=e`],
    [`${page}?code=b#state=lk.x&code=a`, `${page}?code=b&state=lk.x&code=a`],
  ] as const) {
    expect(parseCallback(address)).toMatchObject({
      state: 'lk.x',
      url: { href: url },
      address: { href: address },
    })
    expect(cleanUrl(new URL(address))).toBe(address.includes('a=b') ? `${page}?a=b` : page)
  }
})

describe('a URL is at the redirect URI', () => {
  test.each([
    ['https://app.example.com/callback', 'https://app.example.com/callback/'],
    ['https://app.example.com/callback/', 'https://app.example.com/callback'],
    ['https://app.example.com/callback', 'https://app.example.com/callback/index.html?a=b'],
    ['https://app.example.com/', 'https://app.example.com/index.htm'],
    ['https://app.example.com/Callback', 'https://app.example.com/callback'],
    ['com.example.app://callback', 'com.example.app://Callback/'],
  ])('%s when it is %s [F8.2]', (redirectUri, url) => {
    expect(matchesRedirectUri(new URL(url), redirectUri)).toBe(true)
  })

  test.each([
    ['https://app.example.com/callback', 'https://app.example.com/'],
    ['https://app.example.com/callback', 'https://app.example.com/callback/more'],
    ['https://app.example.com/callback', 'https://app.example.com:8443/callback'],
    ['https://app.example.com/callback', 'http://app.example.com/callback'],
    ['https://app.example.com/callback', 'https://evil.example/callback'],
    ['/callback', 'https://app.example.com/callback'],
  ])('%s not when it is %s', (redirectUri, url) => {
    expect(matchesRedirectUri(new URL(url), redirectUri)).toBe(false)
  })
})

test('a state contains the latchkey prefix and whether a page waits for the response, and nothing else [F9.6]', () => {
  for (const agent of ['redirect', 'loopback', 'appLink', 'mine'])
    expect(nameState(agent, 'r', 'm')).toBe('lk.r.m')
  const state = nameState('popup', 'r', 'm')
  expect(state).toBe('lk.p.r.m')
  expect(parseCallback(`${page}?code=a&state=${state}`)).toMatchObject({ userAgent: 'popup', state })
})

describe('a URL is not a callback', () => {
  test.each([
    page,
    `${page}?code=abc`,
    `${page}?code=abc&state=`,
    `${page}?code=abc&state=xyz`,
    `${page}?code=abc&state=xlk.redirect.1`,
    `${page}?state=lk.redirect.xyz`,
    `${page}#code=abc&state=xyz`,
    `${page}#/notes?code=abc&state=lk.redirect.xyz`,
    `${page}#state=lk.redirect.xyz`,
    `${page}?code=abc&state=other&state=lk.redirect.xyz`,
    'lk.redirect.xyz',
    '',
  ])('if it is %s', url => {
    expect(parseCallback(url)).toBeUndefined()
  })
})

describe('a URL is cleaned', () => {
  test.each([
    [`${page}?code=a&state=lk.x.y&iss=https%3A%2F%2Fid.example.com`, page],
    [`${page}?error=e&error_description=d&error_uri=u&state=s&session_state=z`, page],
    [`${page}?keep=1&code=a&also=a%20b+c&state=s`, `${page}?keep=1&also=a%20b+c`],
    [`${page}?codes=1&xstate=2&code=a`, `${page}?codes=1&xstate=2`],
    [`${page}?code&state`, page],
    [`${page}?code=a#part`, `${page}#part`],
    [`${page}?code=a#/route?x=y`, `${page}#/route?x=y`],
    [`${page}#access_token=a&token_type=bearer`, page],
    [`${page}?access_token=a&id_token=b&code=c`, page],
  ])('%s', (url, expected) => {
    expect(cleanUrl(new URL(url))).toBe(expected)
  })
})

const name = fc.constantFrom('code', 'state', 'error', 'iss', 'q', 'page', 'a b', 'ü', '__proto__', '')
const value = fc.oneof(
  fc.string(),
  fc.constantFrom('lk.', 'lk.redirect.abc', 'LK.redirect.abc', '.lk.', 'lk'),
)
const url = fc
  .tuple(fc.webUrl({ withFragments: true }), fc.array(fc.tuple(name, value), { maxLength: 6 }))
  .map(([base, pairs]) => {
    const made = new URL(base)
    for (const pair of pairs) made.searchParams.append(...pair)
    return made
  })

test('any URL is a callback only with a latchkey state and a code or an error, and is not changed', () => {
  fc.assert(
    fc.property(url, address => {
      const before = address.href
      const callback = parseCallback(address)
      const { searchParams } = address
      const isOurs =
        searchParams.get('state')?.startsWith('lk.') === true &&
        (searchParams.has('code') || searchParams.has('error'))
      expect(callback !== undefined).toBe(isOurs)
      if (callback) expect(callback.state).toBe(searchParams.get('state'))
      expect(address.href).toBe(before)
    }),
  )
})

test('cleaning any URL removes only the response, and the result stays clean [RS16]', () => {
  const answer = ['code', 'state', 'error', 'iss']
  fc.assert(
    fc.property(url, address => {
      const before = address.href
      const clean = new URL(cleanUrl(address))
      const rest = [...address.searchParams].filter(([key]) => !answer.includes(key))
      // an empty pair is not a pair
      expect([...clean.searchParams].filter(([key, text]) => key || text)).toEqual(
        rest.filter(([key, text]) => key || text),
      )
      expect([clean.origin, clean.pathname, clean.hash]).toEqual([
        address.origin,
        address.pathname,
        address.hash,
      ])
      expect(cleanUrl(clean)).toBe(clean.href)
      expect(address.href).toBe(before)
    }),
  )
})

test('no text makes the check throw', () => {
  fc.assert(fc.property(fc.string(), text => void parseCallback(text)))
})
