import { expect, test } from 'vitest'
import { findSecrets } from '../support/canaries.ts'

// Every scenario ends with this search (test/support/world.ts). These tests show that it finds what it should.
const SECRET = 'access-1-canary'
class Hidden extends Error {
  readonly #own = SECRET
  get own() {
    return this.#own
  }
}
const withCause = new Error('outer', { cause: new Error('inner', { cause: { body: `token=${SECRET}` } }) })
const notEnumerable = Object.defineProperty(new Error('x'), 'response', { value: { token: SECRET } })

test.each<[string, unknown]>([
  ['an error message', new Error(`Bearer ${SECRET}`)],
  ['a stack', Object.assign(new Error('x'), { stack: `at ${SECRET}` })],
  ['a cause of a cause', withCause],
  ['a member that is not enumerable', notEnumerable],
  ['a member named by a symbol', { [Symbol('s')]: SECRET }],
  ["a member's name", { [SECRET]: 1 }],
  ['a JSON form', { toJSON: () => SECRET }],
  ['a Map', new Map([['token', { value: SECRET }]])],
  ['a Set in an array', [new Set([SECRET])]],
  ['Headers', new Headers({ authorization: `Bearer ${SECRET}` })],
  ['a URL', new URL(`https://app.example.com/?access_token=${SECRET}`)],
  ['a message to other clients', { type: 'session-changed', token: SECRET }],
  ['a deeply nested object', { a: { b: { c: { d: { e: { f: { g: { h: { i: { j: SECRET } } } } } } } } } }],
])('a secret in %s is found [MX10]', (where, what) => {
  expect(findSecrets([SECRET], [{ where, what }])).toEqual([`${where} shows ${SECRET}`])
})

test('unreachable values are not found, and clean ones pass', () => {
  const shown = [new Error('fine'), { a: 1 }, undefined, 'text'].map(what => ({ where: 'here', what }))
  expect(findSecrets([SECRET], shown)).toEqual([])
  expect(new Hidden().own).toBe(SECRET)
})
