import { describe, expect, test } from 'vitest'
import type { Call, Init, Input } from '../../../src/fetch/attach.ts'
import { keepForReplay } from '../../../src/fetch/replay.ts'

const url = 'https://api.example.com/me'
const form = () => {
  const data = new FormData()
  data.set('a', 'b')
  return data
}
const bytes = new TextEncoder().encode('text')
const stream = () => new Blob(['text']).stream()

/** The bodies that two sends would have. */
const bothBodies = async (input: Input, init: Init) => {
  const kept = keepForReplay([input, init])
  const one = await new Request(input, init).text()
  return [one, kept && (await new Request(...kept).text())]
}

describe('a call is kept for a second send', () => {
  test.each<[string, () => BodyInit]>([
    ['a text', () => 'text'],
    ['bytes', () => bytes],
    ['a buffer', () => bytes.buffer.slice(0)],
    ['a Blob', () => new Blob(['text'])],
    ['URL parameters', () => new URLSearchParams({ a: 'b' })],
  ])('with %s', async (_what, body) => {
    const [one, other] = await bothBodies(url, { method: 'POST', body: body() })
    expect(one).not.toBe('')
    expect(other).toBe(one)
  })

  test('with a form', async () => {
    const [one, other] = await bothBodies(url, { method: 'POST', body: form() })
    expect(one).toContain('name="a"')
    expect(other).toContain('name="a"')
  })

  test('without a body', async () => {
    expect(await bothBodies(url, undefined)).toEqual(['', ''])
    expect(await bothBodies(new URL(url), { method: 'DELETE', body: null })).toEqual(['', ''])
  })

  test('with a Request that has a body, which is the caller to be used up', async () => {
    const request = new Request(url, { method: 'POST', body: 'text' })
    expect(await bothBodies(request, undefined)).toEqual(['text', 'text'])
  })

  test('with a body in init that takes the place of the one of a Request', async () => {
    const request = new Request(url, { method: 'POST', body: 'old' })
    expect(await bothBodies(request, { body: 'new' })).toEqual(['new', 'new'])
  })
})

describe('a call is sent once', () => {
  test('with a stream, which goes out as it is', () => {
    const body = stream()
    const init = { method: 'POST', body, duplex: 'half' }
    expect(keepForReplay([url, init])).toBeUndefined()
    expect(body.locked).toBe(false)
  })

  test('with an iterable, of which nobody knows whether it can be read twice', () => {
    const body = (async function* () {
      yield bytes
    })()
    expect(keepForReplay([url, { method: 'POST', body: body as unknown as BodyInit }])).toBeUndefined()
  })
})

test('what is kept does not change when the caller changes its body', async () => {
  const view = bytes.slice()
  const [buffer, parameters, data] = [bytes.slice().buffer, new URLSearchParams({ a: 'b' }), form()]
  const kept = [view, buffer, parameters, data].map(body => keepForReplay([url, { method: 'POST', body }]))
  view.fill(0)
  new Uint8Array(buffer).fill(0)
  parameters.set('a', 'c')
  data.set('a', 'c')
  const texts = await Promise.all(kept.map(call => new Request(...(call as Call)).text()))
  expect(texts.slice(0, 3)).toEqual(['text', 'text', 'a=b'])
  expect(texts[3]).toContain('\r\nb\r\n')
})
