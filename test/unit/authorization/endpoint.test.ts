import { describe, expect, test } from 'vitest'
import { createTransport } from '../../../src/authorization/endpoint.ts'
import type { Fetch } from '../../../src/core/ports.ts'
import { handClock } from '../../support/clock.ts'

const url = 'https://id.example.com/token?secret=query'

/** A transport that returns these responses in order and repeats the last one. */
function setUp(...answers: (() => Response | Promise<Response>)[]) {
  const sent: [string, RequestInit | undefined][] = []
  const fetch: Fetch = async (input, init) => {
    sent.push([String(input), init])
    const answer = answers[Math.min(sent.length, answers.length) - 1] as () => Response | Promise<Response>
    return answer()
  }
  const clock = handClock()
  return { transport: createTransport({ fetch, clock }), sent, clock }
}
const fails = () => Promise.reject(new TypeError('Failed to fetch'))
const hangs = () => new Promise<never>(() => {})

describe('a request to the authorization server', () => {
  test('returns the response with status, headers and body', async () => {
    const { transport, sent } = setUp(() =>
      Response.json({ a: 1 }, { status: 400, headers: { 'x-mine': 'yes' } }),
    )
    const answer = await transport(url, { method: 'POST', body: 'a=b' })
    expect([answer.status, answer.headers.get('x-mine'), await answer.json()]).toEqual([400, 'yes', { a: 1 }])
    expect(sent).toHaveLength(1)
    expect(sent[0]?.[1]).toMatchObject({ method: 'POST', body: 'a=b', cache: 'no-store' })
  })

  test('may return a response without a body', async () => {
    const { transport } = setUp(() => new Response(null, { status: 204 }))
    expect((await transport(url, { method: 'POST' })).status).toBe(204)
  })

  test('that cannot be sent rejects with a NetworkError that names the endpoint but not the query', async () => {
    const { transport, sent } = setUp(fails)
    const error = await transport(url, { method: 'POST' }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_NETWORK', reason: 'unreachable', retryable: true })
    expect((error as Error).message).toContain('https://id.example.com/token')
    expect((error as Error).message).not.toContain('secret')
    expect(sent).toHaveLength(1)
  })

  test('is retried once if it reads, and not if it writes', async () => {
    const read = setUp(fails, () => new Response('second'))
    expect(await (await read.transport(url, { method: 'GET' })).text()).toBe('second')
    const both = setUp(fails)
    await expect(both.transport(url, { method: 'GET' })).rejects.toMatchObject({ code: 'ERR_NETWORK' })
    expect(both.sent).toHaveLength(2)
  })

  test('ends after 8 s without a response and is aborted', async () => {
    const { transport, sent, clock } = setUp(hangs)
    const error = transport(url, { method: 'POST' }).catch((reason: unknown) => reason)
    await expect.poll(() => sent.length).toBe(1)
    clock.advance(7999)
    expect(sent[0]?.[1]?.signal?.aborted).toBe(false)
    clock.advance(1)
    expect(await error).toMatchObject({ code: 'ERR_NETWORK', reason: 'timeout' })
    expect(sent[0]?.[1]?.signal?.aborted).toBe(true)
  })

  test('also ends after 8 s if only the body never ends [MX02]', async () => {
    const { transport, sent, clock } = setUp(() => new Response(new ReadableStream({ pull: hangs })))
    const error = transport(url, { method: 'POST' }).catch((reason: unknown) => reason)
    await expect.poll(() => sent.length).toBe(1)
    clock.advance(8000)
    expect(await error).toMatchObject({ reason: 'timeout' })
  })

  test('can be aborted by its caller', async () => {
    const { transport, sent } = setUp(() => new Response('answer'))
    const controller = new AbortController()
    await transport(url, { method: 'POST', signal: controller.signal })
    controller.abort()
    expect(sent[0]?.[1]?.signal?.aborted).toBe(true)
  })

  test.each([301, 302, 303, 307, 308])(
    'does not follow a redirect: %i is not a response from the server [TR01]',
    async status => {
      const { transport } = setUp(
        () => new Response(null, { status, headers: { location: 'https://portal.example' } }),
      )
      await expect(transport(url, { method: 'POST' })).rejects.toMatchObject({ reason: 'not_the_server' })
    },
  )

  test('reads at most a megabyte [MX01]', async () => {
    let pulled = 0
    const endless = new ReadableStream({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array(100_000))
      },
    })
    const { transport } = setUp(() => new Response(endless))
    await expect(transport(url, { method: 'POST' })).rejects.toMatchObject({ reason: 'not_the_server' })
    expect(pulled).toBeLessThan(20)
  })

  test('whose body breaks off rejects with a NetworkError', async () => {
    const broken = new ReadableStream({
      start: controller => controller.enqueue(new Uint8Array(10)),
      pull: controller => controller.error(new TypeError('terminated')),
    })
    const { transport } = setUp(() => new Response(broken))
    await expect(transport(url, { method: 'POST' })).rejects.toMatchObject({ reason: 'unreachable' })
  })
})

describe('a request without a response', () => {
  const failing = (thrown: unknown, origin?: string) => {
    let sent = 0
    const fetch: Fetch = async () => {
      sent++
      throw thrown
    }
    const transport = createTransport({ fetch, clock: handClock(), origin })
    return transport(url, { method: 'GET' }).then(
      () => undefined,
      (error: Error) => ({ error, sent }),
    )
  }
  const fetchFailed = (code: string) =>
    new TypeError('fetch failed', { cause: Object.assign(new Error(`secret ${code}`), { code }) })

  test('in a page reports its origin, CORS and the console, because a page cannot see the cause [F4.1]', async () => {
    const failed = await failing(new TypeError('Failed to fetch'), 'https://app.example.com')
    expect(failed?.error).toMatchObject({ reason: 'unreachable', retryable: true })
    expect(failed?.error.message).toMatch(
      /^https:\/\/id\.example\.com\/token could not be reached from https:\/\/app\.example\.com\..*CORS.*console/,
    )
  })

  test("in Node reports the system's error code but not its text [F4.1]", async () => {
    const failed = await failing(fetchFailed('ENOTFOUND'))
    expect(failed?.error.message).toBe(
      'https://id.example.com/token could not be reached (ENOTFOUND). Check the address and the network.',
    )
    expect(failed?.sent).toBe(2)
  })

  test.for([
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ])(
    'because of its certificate (%s) is not sent again, and the error does not suggest a retry [F8.15]',
    async code => {
      const failed = await failing(fetchFailed(code))
      expect(failed?.error).toMatchObject({ reason: 'unreachable', retryable: false })
      expect(failed?.error.message).toContain(`(${code}). Its certificate is not trusted`)
      expect(failed?.sent).toBe(1)
    },
  )
})

describe('a redirect', () => {
  const place = 'https://id.example.com/token'
  const answered = (answer: Response) => setUp(() => answer).transport(place, { redirect: 'follow' })
  const followed = (to: string) =>
    Object.defineProperties(Response.json({ a: 1 }), { redirected: { value: true }, url: { value: to } })

  test('that was followed within the origin counts as a normal response [F4.4]', async () => {
    expect(await (await answered(followed(`${place}/`))).json()).toEqual({ a: 1 })
  })

  test('that was followed to another origin is not a response from the server, and is named without its query [F4.4]', async () => {
    await expect(answered(followed('https://other.example/x?secret=1'))).rejects.toMatchObject({
      reason: 'not_the_server',
      message: `${place} answered with a redirect to https://other.example/x. Correct the address.`,
    })
  })

  test.for([
    [301, false],
    [308, false],
    [302, true],
    [307, true],
  ] as const)('with status %i may differ the next time: %s [F8.15]', async ([status, retryable]) => {
    const answer = new Response(null, { status, headers: { location: '/elsewhere' } })
    await expect(answered(answer)).rejects.toMatchObject({
      retryable,
      message: `${place} answered with a redirect to https://id.example.com/elsewhere. Correct the address.`,
    })
  })
})
