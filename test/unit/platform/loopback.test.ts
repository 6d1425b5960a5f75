import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CallbackError, ConfigurationError } from '../../../src/errors.ts'
import { loopback } from '../../../src/platform/node/loopback.ts'
import { addressesOf } from '../../../src/platform/node/loopback-listener.ts'
import { freePort } from '../../support/free-port.ts'

const STATE = 'lk.loopback.abc'

/** Starts a sign-in; `knock` is what a browser on this machine can do meanwhile. */
const begin = async (
  redirectUri = 'http://127.0.0.1/callback',
  options: Parameters<typeof loopback>[0] = {},
) => {
  const shown: string[] = []
  const attempt = loopback({ open: url => void shown.push(url), ...options }).begin(redirectUri)
  onTestFinished(() => attempt.close())
  const listening = await attempt.redirectUri
  const knock = (path: string, init?: RequestInit) => fetch(new URL(path, listening), init)
  return { attempt, shown, listening, knock }
}

/** The response for a browser that reaches `localhost` at this address. */
const statusAt = (host: string, port: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    const request = get({ host, port, path: '/other', headers: { host: `localhost:${port}` } }, response => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
  })

describe('the loopback user agent', () => {
  test('listens on a free port of the literal address and shows the authorization URL [NA01, F8.18]', async () => {
    const { attempt, shown, listening, knock } = await begin()
    expect(listening).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/)
    const answer = attempt.authorize('https://id.example.com/authorize', STATE)
    await knock(`/callback?code=c&state=${STATE}`)
    expect(shown).toEqual(['https://id.example.com/authorize'])
    expect(await answer).toBe(`${listening}?code=c&state=${STATE}`)
  })

  test('accepts only the redirect URI with our state, and ignores everything else [NA02]', async () => {
    const { attempt, listening, knock } = await begin()
    const answer = attempt.authorize('https://id.example.com/authorize', STATE)
    expect((await knock('/')).status).toBe(404)
    expect((await knock('/favicon.ico')).status).toBe(404)
    expect((await knock('/callback?code=c&state=other')).status).toBe(404)
    expect((await knock(`/callback?code=c&state=${STATE}`, { method: 'POST' })).status).toBe(405)
    const last = await knock(`/callback?error=access_denied&state=${STATE}`)
    expect(last.status).toBe(200)
    expect(await answer).toBe(`${listening}?error=access_denied&state=${STATE}`)
  })

  test.for<[string, string, string]>([
    ['a code', `code=c&state=${STATE}`, 'You are signed in.'],
    ['an error', `error=access_denied&state=${STATE}`, 'The sign-in was not completed.'],
    ['an error with a code', `error=x&code=c&state=${STATE}`, 'The sign-in was not completed.'],
    ['an error without state', 'error=invalid_scope', 'The sign-in was not completed.'],
  ])(
    'shows the result of %s on its last page, and nothing that was sent [F2.9]',
    async ([, query, title]) => {
      const { attempt, knock } = await begin()
      const answer = attempt.authorize('https://id.example.com/authorize', STATE)
      const last = await knock(`/callback?${query}&error_description=%3Cb%3EPay+here`)
      const text = await last.text()
      expect(text).toContain(`<h1>${title}</h1>`)
      expect(text).not.toMatch(/Pay here|access_denied|invalid_scope/)
      await answer
    },
  )

  test.for<[string, string]>([
    ['without state', ''],
    ['with a foreign state', '&state=other'],
    ["with another sign-in's state", '&state=lk.loopback.zzz'],
  ])('accepts an error %s immediately, and returns no foreign state [F2.9]', async ([, state]) => {
    const { attempt, listening, knock } = await begin()
    const answer = attempt.authorize('https://id.example.com/authorize', STATE)
    await knock(`/callback?error=invalid_scope${state}`)
    expect(await answer).toBe(`${listening}?error=invalid_scope`)
  })

  test('ignores an error that a web page sends as an image, a frame or a script [F2.9]', async () => {
    const { attempt, listening, knock } = await begin()
    const answer = attempt.authorize('https://id.example.com/authorize', STATE)
    for (const dest of ['image', 'iframe', 'script', 'empty']) {
      const headers = { 'sec-fetch-dest': dest }
      expect((await knock('/callback?error=access_denied', { headers })).status).toBe(404)
    }
    await knock(`/callback?code=c&state=${STATE}`)
    expect(await answer).toBe(`${listening}?code=c&state=${STATE}`)
  })

  test('accepts a response while the function that shows the URL is still running', async () => {
    const { attempt, listening, knock } = await begin(undefined, { open: () => new Promise(() => {}) })
    const answer = attempt.authorize('https://id.example.com/authorize', STATE)
    await knock(`/callback?code=c&state=${STATE}`)
    expect(await answer).toBe(`${listening}?code=c&state=${STATE}`)
  })

  test('rejects a sign-in that is closed while it waits [F5.2]', async () => {
    const { attempt } = await begin()
    const answer = attempt.authorize('https://id.example.com/authorize', STATE)
    attempt.close()
    await expect(answer).rejects.toMatchObject({ code: 'ERR_CALLBACK', reason: 'cancelled' })
  })

  test('rejects all requests before the sign-in has its address [F5.2]', async () => {
    const { knock } = await begin()
    expect((await knock(`/callback?code=c&state=${STATE}`)).status).toBe(404)
  })

  test('closes after a sign-in, with one response or none [NA01]', async () => {
    const { attempt, knock } = await begin()
    const answer = attempt.authorize('https://id.example.com/', STATE)
    await knock(`/callback?code=c&state=${STATE}`)
    await answer
    attempt.close()
    await expect(knock('/callback')).rejects.toThrow()
  })

  test('times out if no response arrives [NA02]', async () => {
    const { attempt } = await begin(undefined, { timeoutMs: 20 })
    const error = await attempt.authorize('https://id.example.com/', STATE).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(CallbackError)
    expect(error).toMatchObject({ reason: 'cancelled' })
  })

  test('reports the used redirect URI and what to register when it times out [F4.11]', async () => {
    const failureAt = async (redirectUri: string) => {
      const { attempt, listening } = await begin(redirectUri, { timeoutMs: 20 })
      const error = await attempt.authorize('https://id.example.com/', STATE).catch((thrown: Error) => thrown)
      attempt.close()
      return { message: (error as Error).message, listening }
    }
    const free = await failureAt('http://127.0.0.1/callback')
    expect(free.message).toBe(
      `No answer came to ${free.listening} within 0.02 s. If the server's page refuses the redirect URI, register http://127.0.0.1/callback for any port, or register one with a port and set it as "redirectUri".`,
    )
    const port = new URL(free.listening).port
    const fixed = await failureAt(`http://127.0.0.1:${port}/callback`)
    expect(fixed.message).toContain(`register http://127.0.0.1:${port}/callback.`)
  })

  test.for([
    'http://app.localhost/callback',
    'https://127.0.0.1/callback',
    'https://app.example.com/callback',
  ])('rejects %s, because only a loopback address stays on this machine [NA01]', redirectUri => {
    expect(() => loopback().begin(redirectUri)).toThrow(ConfigurationError)
  })

  test('accepts localhost and listens on both of its addresses at one port [F8.7]', async () => {
    const { listening } = await begin('http://localhost/callback')
    const { port, hostname } = new URL(listening)
    expect(hostname).toBe('localhost')
    for (const address of ['127.0.0.1', '::1']) expect(await statusAt(address, port)).toBe(404)
  })

  test('tries ::1 first for localhost, as browsers do [F8.7]', () => {
    expect(addressesOf('localhost')).toEqual(['::1', '127.0.0.1'])
  })

  test.for([
    ['::1', '127.0.0.1'],
    ['127.0.0.1', '::1'],
  ] as const)(
    'does not share a named port of localhost with another process on %s [F8.7]',
    async ([theirs, rest]) => {
      const other = createServer().listen(0, theirs)
      onTestFinished(() => void other.close())
      await new Promise(resolve => other.once('listening', resolve))
      const { port } = other.address() as AddressInfo
      const attempt = loopback({ open: () => {} }).begin(`http://localhost:${port}/callback`)
      onTestFinished(() => attempt.close())
      await expect(attempt.redirectUri).rejects.toThrow(new RegExp(`Port ${port} .* in use`))
      const next = createServer()
      onTestFinished(() => void next.close())
      await new Promise<void>(resolve => next.listen(Number(port), rest, resolve)) // nothing was left open
    },
  )

  test('listens elsewhere than the redirect URI says, behind a forwarded port, and takes the answer for the redirect URI', async () => {
    const port = await freePort()
    const wanted = 'http://localhost:8400/callback'
    const attempt = loopback({ open: () => {}, listen: { host: '127.0.0.1', port } }).begin(wanted)
    onTestFinished(() => attempt.close())
    expect(await attempt.redirectUri).toBe(wanted)
    const answer = attempt.authorize('https://id.example.com/authorize', 'a-state')
    const visit = (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const path = '/callback?code=c&state=a-state'
        get({ host: '127.0.0.1', port, path, headers: { host } }, response => {
          response.resume()
          resolve(response.statusCode)
        }).on('error', reject)
      })
    expect(await visit(`127.0.0.1:${port}`)).toBe(421) // not the address that the browser was sent to
    expect(await visit('localhost:8400')).toBe(200)
    expect(await answer).toBe(`${wanted}?code=c&state=a-state`)
  })

  test('rejects if this machine does not have the address to listen on', async () => {
    const attempt = loopback({ open: () => {}, listen: { host: '192.0.2.1' } }).begin(
      'http://127.0.0.1/callback',
    )
    onTestFinished(() => attempt.close())
    await expect(attempt.redirectUri).rejects.toThrow(/cannot be listened on \(EADDRNOTAVAIL\)/)
  })

  test('reports which port is taken and what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await new Promise(resolve => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    const attempt = loopback({ open: () => {} }).begin(`http://127.0.0.1:${port}/callback`)
    onTestFinished(() => attempt.close())
    await expect(attempt.redirectUri).rejects.toThrow(new RegExp(`Port ${port} .* in use`))
  })

  test('listens on the IPv6 loopback address if requested [NA01]', async () => {
    const { listening } = await begin('http://[::1]/callback')
    expect(listening).toMatch(/^http:\/\/\[::1\]:\d+\/callback$/)
  })
})
