import vm from 'node:vm'
import { describe, expect, test } from 'vitest'
import { cancelBody, holdBack, keepBodyOf, takeOne } from '../../../src/fetch/body.ts'
import { type Call, createCallReader, type Init, type Input, readTarget } from '../../../src/fetch/call.ts'

const url = 'https://api.example.com/me'
const reader = createCallReader()
const read = (input: Input, init?: Init): Call => reader.own(reader.read(readTarget(input), init) as Call)
const post = (body: unknown) => read(url, { method: 'POST', body: body as BodyInit })

const form = () => {
  const data = new FormData()
  data.set('a', 'b')
  return data
}
const bytes = new TextEncoder().encode('text')
const stream = () => new Blob(['text']).stream()
const toRequest = (call: Call) => {
  const { input, init } = takeOne(call)
  return new Request(input, init as Init)
}

/** The bodies of a first, a second and a third send. */
const bodies = async (call: Call) => {
  const texts: string[] = []
  if (!keepBodyOf(call)) return undefined
  for (let send = 0; send < 3; send++) texts.push(await toRequest(call).text())
  return texts
}

/** Whatever a realm of its own makes. */
const elsewhere = (code: string): unknown => vm.runInNewContext(code)

describe('a call is kept for further sends', () => {
  test.each<[string, () => unknown]>([
    ['a text', () => 'text'],
    ['bytes', () => bytes],
    ['a buffer', () => bytes.buffer.slice(0)],
    ['a Blob', () => new Blob(['text'])],
    ['URL parameters', () => new URLSearchParams({ text: '' })],
    ['bytes of another realm [F3.7]', () => elsewhere('new Uint8Array([116, 101, 120, 116])')],
    ['a buffer of another realm [F3.7]', () => elsewhere('new Uint8Array([116, 101, 120, 116]).buffer')],
    [
      'a view into the middle of a buffer',
      () => new DataView(new TextEncoder().encode('a text b').buffer, 2, 4),
    ],
  ])('with %s', async (_what, body) => {
    const texts = await bodies(post(body()))
    expect(texts?.map(text => text.replace('=', ''))).toEqual(['text', 'text', 'text'])
  })

  test('with a form', async () => {
    for (const text of (await bodies(post(form()))) ?? ['none']) expect(text).toContain('name="a"')
  })

  test('without a body', async () => {
    expect(await bodies(read(url))).toEqual(['', '', ''])
    expect(await bodies(read(new URL(url), { method: 'DELETE', body: null }))).toEqual(['', '', ''])
  })

  test('with a Request that has a body', async () => {
    const request = new Request(url, { method: 'POST', body: 'text' })
    expect(await bodies(read(request))).toEqual(['text', 'text', 'text'])
  })

  test('with a body in init that takes the place of the one of a Request', async () => {
    const request = new Request(url, { method: 'POST', body: 'old' })
    expect(await bodies(read(request, { body: 'new' }))).toEqual(['new', 'new', 'new'])
    expect(request.bodyUsed).toBe(false)
  })

  test('with many bytes as one Blob, which fetch does not copy once more [F3.7]', async () => {
    const many = new Uint8Array(300_000).fill(97)
    const call = post(many)
    expect(keepBodyOf(call)).toBe(true)
    many.fill(98)
    expect(call.init?.body).toBeInstanceOf(Blob)
    const request = toRequest(call)
    expect(request.headers.has('content-type')).toBe(false)
    expect(await request.text()).toBe('a'.repeat(300_000))
  })
})

describe('a call is sent once', () => {
  test('with a stream, which goes out as it is', () => {
    const body = stream()
    const call = read(url, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(keepBodyOf(call)).toBe(false)
    expect(call.init?.body).toBe(body)
    expect(body.locked).toBe(false)
  })

  test('with an iterable, of which nobody knows whether it can be read twice', () => {
    const body = (async function* () {
      yield bytes
    })()
    expect(keepBodyOf(post(body))).toBe(false)
  })

  test.each<[string, () => unknown]>([
    ['shared memory', () => new Uint8Array(new SharedArrayBuffer(4))],
    // the library knows no such buffers yet
    ['a buffer that grows', () => new Uint8Array(Reflect.construct(ArrayBuffer, [4, { maxByteLength: 8 }]))],
  ])('with %s, which fetch is left to refuse, also where the call has to wait [F3.10]', (_what, body) => {
    const call = post(body())
    expect(keepBodyOf(call)).toBe(false)
    expect(() => holdBack(call, false)).toThrow(TypeError)
  })

  test('with a buffer that was given away, of which fetch says what it is [F3.7]', () => {
    const given = bytes.slice()
    structuredClone(given.buffer, { transfer: [given.buffer] })
    const call = post(given)
    expect(keepBodyOf(call)).toBe(false)
    expect(call.init?.body).toBe(given)
  })
})

test('what is kept does not change when the caller changes its body', async () => {
  const view = bytes.slice()
  const [buffer, parameters, data] = [bytes.slice().buffer, new URLSearchParams({ a: 'b' }), form()]
  const calls = [view, buffer, parameters, data].map(post)
  for (const call of calls) expect(keepBodyOf(call)).toBe(true)
  view.fill(0)
  new Uint8Array(buffer).fill(0)
  parameters.set('a', 'c')
  data.set('a', 'c')
  const texts = await Promise.all(calls.map(call => toRequest(call).text()))
  expect(texts.slice(0, 3)).toEqual(['text', 'text', 'a=b'])
  expect(texts[3]).toContain('\r\nb\r\n')
})

describe('a call that has to wait', () => {
  test('takes its stream at once, and cancels it when it is given up [F3.5]', async () => {
    const told: unknown[] = []
    const body = new ReadableStream({ cancel: reason => void told.push(reason) })
    const call = read(url, { method: 'POST', body, duplex: 'half' } as RequestInit)
    holdBack(call, keepBodyOf(call))
    expect(body.locked).toBe(true)
    expect(() => holdBack(read(url, { method: 'POST', body, duplex: 'half' } as RequestInit), false)).toThrow(
      TypeError,
    )
    const reason = new Error('given up')
    cancelBody(call, reason)
    await expect.poll(() => told).toEqual([reason])
  })

  test('cancels the stream that a Request was made of [F3.5]', async () => {
    const told: unknown[] = []
    const body = new ReadableStream({ cancel: reason => void told.push(reason) })
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    cancelBody(read(new Request(url, init)), new Error('given up'))
    await expect.poll(() => told).toHaveLength(1)
  })

  test.each<[string, RequestInit]>([
    ['a method that is none', { method: 'B AD' }],
    ['a body where there may be none', { method: 'GET', body: 'text' }],
    ['headers that are none', { headers: { 'x mine': 'a' } }],
  ])('is refused at once with %s', (_what, init) => {
    const call = read(url, init)
    expect(() => holdBack(call, keepBodyOf(call))).toThrow(TypeError)
  })
})
