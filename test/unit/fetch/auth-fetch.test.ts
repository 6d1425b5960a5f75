import { expect, test } from 'vitest'
import { NetworkError } from '../../../src/errors.ts'
import { type AuthFetchPorts, createAuthFetch } from '../../../src/fetch/auth-fetch.ts'
import { createReplay } from '../../../src/fetch/replay.ts'
import { handClock } from '../../support/clock.ts'

const API = 'https://api.example.com'

/** `fetch` of a client whose API rejects the access token `old`. */
const authFetch = (loadReplay: () => Promise<typeof createReplay>, more: Partial<AuthFetchPorts> = {}) =>
  createAuthFetch({
    send: async (_url, init) => {
      const isOld = new Headers(init?.headers).get('authorization') === 'Bearer old'
      return new Response('from the API', { status: isOld ? 401 : 200 })
    },
    tokens: {
      sessionId: () => 'one',
      ready: () => 'old',
      acquire: async () => 'new',
      refreshStartedAt: () => 0,
    },
    allowedOrigins: new Set([API]),
    resources: [],
    presentation: undefined,
    baseUrl: () => undefined,
    emit() {},
    warn: () => {},
    clock: handClock(),
    started: async () => {},
    loadReplay,
    ...more,
  })

test('a 401 is returned to the caller if the code that evaluates it could not be loaded', async () => {
  const fetch = authFetch(async () => {
    throw new NetworkError('not loaded', 'unreachable')
  })
  const response = await fetch(`${API}/me`)
  expect(response.status).toBe(401)
  expect(await response.text()).toBe('from the API')
})

test('a caller that aborts does not wait for the evaluation of a 401', async () => {
  const controller = new AbortController()
  const fetch = authFetch(() => new Promise(() => {}))
  const call = fetch(`${API}/me`, { signal: controller.signal })
  const reason = new Error('given up')
  setTimeout(() => controller.abort(reason))
  await expect(call).rejects.toBe(reason)
})

test('a 401 that a new access token may fix is replayed', async () => {
  const fetch = authFetch(async () => createReplay)
  expect((await fetch(`${API}/me`)).status).toBe(200)
})

test.each(['https:me', 'https:/me', 'HTTPS:me'])(
  'no access token goes to %s any more when the page resolves it elsewhere [RQ03]',
  async address => {
    let base = `${API}/app`
    const sent: (string | null)[] = []
    const fetch = authFetch(async () => createReplay, {
      baseUrl: () => base,
      async send(_url, init) {
        sent.push(new Headers(init?.headers).get('authorization'))
        return new Response()
      },
    })
    await fetch(address)
    base = 'https://cdn.example/' // a new <base href>
    await fetch(address)
    expect(sent).toEqual(['Bearer old', null])
  },
)
