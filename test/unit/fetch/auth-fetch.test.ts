import { expect, test } from 'vitest'
import { NetworkError } from '../../../src/errors.ts'
import { createAuthFetch } from '../../../src/fetch/auth-fetch.ts'
import { createReplay } from '../../../src/fetch/replay.ts'
import { handClock } from '../../support/clock.ts'

const API = 'https://api.example.com'

/** `fetch` of a client whose API rejects the access token `old`. */
const authFetch = (loadReplay: () => Promise<typeof createReplay>) =>
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
