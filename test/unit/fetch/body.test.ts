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

/** The bodies of the first, second and third send. */
const bodies = async (call: Call) => {
  const texts: string[] = []
  if (!keepBodyOf(call)) return undefined
  for (let send = 0; send < 3; send++) texts.push(await toRequest(call).text())
  return texts
}

/** Values created in another realm. */
const elsewhere = (code: string): unknown => vm.runInNewContext(code)

describe('a call is kept for replays', () => {
  test.each<[string, () => unknown]>([
    ['a string', () => 'text'],
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

  test('with a Request that has a body, and without `body: null`, which workerd sends in its place', () => {
    const call = read(new Request(url, { method: 'POST', body: 'text' }))
    expect(keepBodyOf(call)).toBe(true)
    for (let send = 0; send < 3; send++) expect(takeOne(call).init).not.toHaveProperty('body')
  })

  test('with an option that only the runtime knows, beside a Request that has a body', () => {
    const dispatcher = { dispatch: () => true }
    const request = new Request(url, { method: 'POST', body: 'text' })
    const call = read(request, { dispatcher } as Init)
    for (let send = 0; send < 3; send++) expect(takeOne(call).init).toHaveProperty('dispatcher', dispatcher)
  })

  test('with a body in init that replaces the body of a Request', async () => {
    const request = new Request(url, { method: 'POST', body: 'old' })
    expect(await bodies(read(request, { body: 'new' }))).toEqual(['new', 'new', 'new'])
    expect(request.bodyUsed).toBe(false)
  })

  test('with many bytes as one Blob, which fetch does not copy again [F3.7]', async () => {
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
  test('with a stream, which is sent unchanged', () => {
    const body = stream()
    const call = read(url, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(keepBodyOf(call)).toBe(false)
    expect(call.init?.body).toBe(body)
    expect(body.locked).toBe(false)
  })

  test('with an iterable, which may not be readable twice', () => {
    const body = (async function* () {
      yield bytes
    })()
    expect(keepBodyOf(post(body))).toBe(false)
  })

  test.each<[string, () => unknown]>([
    ['shared memory', () => new Uint8Array(new SharedArrayBuffer(4))],
    // the library has no types for such buffers yet
    ['a buffer that grows', () => new Uint8Array(Reflect.construct(ArrayBuffer, [4, { maxByteLength: 8 }]))],
  ])('with %s, which fetch itself rejects, also if the call has to wait [F3.10]', (_what, body) => {
    const call = post(body())
    expect(keepBodyOf(call)).toBe(false)
    expect(() => holdBack(call, false)).toThrow(TypeError)
  })

  test('with a transferred buffer, which fetch itself reports [F3.7]', () => {
    const given = bytes.slice()
    structuredClone(given.buffer, { transfer: [given.buffer] })
    const call = post(given)
    expect(keepBodyOf(call)).toBe(false)
    expect(call.init?.body).toBe(given)
  })
})

test('a kept body does not change when the caller changes it', async () => {
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
  test('takes its stream immediately, and cancels it when the call is abandoned [F3.5]', async () => {
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

  test('cancels the stream that a Request was created from [F3.5]', async () => {
    const told: unknown[] = []
    const body = new ReadableStream({ cancel: reason => void told.push(reason) })
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    cancelBody(read(new Request(url, init)), new Error('given up'))
    await expect.poll(() => told).toHaveLength(1)
  })

  test.each<[string, RequestInit]>([
    ['an invalid method', { method: 'B AD' }],
    ['a body where none is allowed', { method: 'GET', body: 'text' }],
    ['invalid headers', { headers: { 'x mine': 'a' } }],
  ])('is rejected immediately with %s', (_what, init) => {
    const call = read(url, init)
    expect(() => holdBack(call, keepBodyOf(call))).toThrow(TypeError)
  })
})
