import { afterEach, describe, expect, test } from 'vitest'
import { createListeners } from '../../../src/core/listeners.ts'
import { type AppLinkOptions, appLink, capacitor, cordova } from '../../../src/platform/webview/app-link.ts'

const REDIRECT = 'com.example.app://callback'
const STATE = 'lk.appLink.1.abc'
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** A phone whose links and browser the test controls. */
function phone(change: Partial<AppLinkOptions> = {}) {
  const links = createListeners<string>()
  const closings = createListeners<void>()
  const shown: string[] = []
  const closed: string[] = []
  const options: AppLinkOptions = {
    open: url => shown.push(url),
    close: () => closed.push('closed'),
    receive: links.add,
    onClosed: closings.add,
    timeoutMs: 60_000,
    ...change,
  }
  const begin = (redirectUri = REDIRECT) => {
    const agent = appLink(options)
    const attempt = agent.begin(redirectUri)
    const answer = attempt
      .authorize('https://id.example.com/authorize?a=b', STATE)
      .catch((error: unknown) => error)
    return { agent, attempt, answer }
  }
  return { begin, links, closings, shown, closed }
}

const answerOf = (redirectUri: string) => `${redirectUri}?code=1&state=${STATE}&iss=x`

test.for([REDIRECT, 'com.example.app:/callback', 'https://app.example.com/callback'])(
  'the authorization response at %s is accepted, and the listeners are removed [NA05]',
  async redirectUri => {
    const { begin, links, closings, shown, closed } = phone()
    const { answer, attempt } = begin(redirectUri)
    await expect.poll(() => shown).toEqual(['https://id.example.com/authorize?a=b'])
    links.emit(answerOf(redirectUri))
    expect(await answer).toBe(answerOf(redirectUri))
    attempt.close()
    await expect.poll(() => closed).toEqual(['closed'])
    expect([links.size(), closings.size()]).toEqual([0, 0])
  },
)

test.for([
  'com.example.other://callback',
  'com.example.app://other',
  'com.example.app://callback/more',
  'https://callback/',
])('a link to %s is unrelated, whatever its parameters say [NA05]', async other => {
  const { begin, links } = phone()
  const { answer } = begin()
  links.emit(answerOf(other))
  links.emit('nonsense')
  links.emit(`${REDIRECT}?code=1&state=lk.appLink.1.other`)
  links.emit(`${REDIRECT}?code=1`)
  links.emit(answerOf(REDIRECT))
  expect(await answer).toBe(answerOf(REDIRECT))
})

describe('a sign-in ends with a typed error', () => {
  test('if no response arrives in time', async () => {
    const { begin, links } = phone({ timeoutMs: 10 })
    expect(await begin().answer).toMatchObject({ code: 'ERR_CALLBACK', reason: 'cancelled' })
    expect(links.size()).toBe(0)
  })

  test('if the browser could not be opened', async () => {
    const open = () => Promise.reject(new Error('no browser'))
    const error = await phone({ open }).begin().answer
    expect(error).toMatchObject({ reason: 'cancelled', cause: { message: 'no browser' } })
  })

  test('if the user closes the browser, unless the response is arriving', async () => {
    const one = phone()
    const given = one.begin()
    one.closings.emit()
    expect(await given.answer).toMatchObject({ reason: 'cancelled' })
    const other = phone()
    const answered = other.begin()
    other.closings.emit()
    other.links.emit(answerOf(REDIRECT))
    expect(await answered.answer).toBe(answerOf(REDIRECT))
  })
})

test('a browser that returns the response works like a link', async () => {
  const { begin } = phone({ open: async () => answerOf(REDIRECT) })
  expect(await begin().answer).toBe(answerOf(REDIRECT))
})

test('a link that a sign-in waits for is not passed to other listeners, all other links are', async () => {
  const { begin, links } = phone()
  const { agent, answer } = begin()
  const told: string[] = []
  stops.push(agent.links.receive(url => told.push(url)))
  links.emit(`${REDIRECT}?code=2&state=lk.appLink.1.older`)
  links.emit(answerOf(REDIRECT))
  expect(await answer).toBe(answerOf(REDIRECT))
  expect(told[0]).toContain('older')
})

test('the Capacitor plugins open the browser and report links, its closing and the launch', async () => {
  const listeners = new Map<string, (value: never) => void>()
  const done: string[] = []
  const addListener = async (event: string, listener: (value: never) => void) => {
    listeners.set(event, listener)
    return { remove: async () => void done.push(`removed ${event}`) }
  }
  const links = capacitor({
    App: { addListener, getLaunchUrl: async () => ({ url: 'com.example.app://start' }) },
    Browser: {
      addListener,
      open: async ({ url }) => void done.push(`opened ${url}`),
      close: async () => void done.push('closed'),
    },
  })
  const told: string[] = []
  const stop = links.receive(url => told.push(url))
  const stopToo = links.onClosed?.(() => told.push('closed by the user'))
  listeners.get('appUrlOpen')?.({ url: 'com.example.app://a' } as never)
  listeners.get('browserFinished')?.(undefined as never)
  expect(told).toEqual(['com.example.app://a', 'closed by the user'])
  expect(await links.launchUrl?.()).toBe('com.example.app://start')
  await links.open('https://id.example.com/')
  await links.close?.()
  stop()
  stopToo?.()
  await expect
    .poll(() => done)
    .toEqual(['opened https://id.example.com/', 'closed', 'removed appUrlOpen', 'removed browserFinished'])
})

test('the global of Cordova still calls the previous handler', () => {
  const told: string[] = []
  const host: { handleOpenURL?: (url: string) => void } = { handleOpenURL: url => told.push(`app: ${url}`) }
  const stop = cordova(host, () => {}).receive(url => told.push(`latchkey: ${url}`))
  host.handleOpenURL?.('a')
  stop()
  host.handleOpenURL?.('b')
  expect(told).toEqual(['latchkey: a', 'app: a', 'app: b'])
})

describe('the global of Cordova', () => {
  type Host = { handleOpenURL?: ((url: string) => void) | undefined }

  test('is wrapped once, however often apps start and stop listening [F5.7]', () => {
    const told: string[] = []
    const own = (url: string) => void told.push(`app: ${url}`)
    const host: Host = { handleOpenURL: own }
    const stopLast = cordova(host, () => {}).receive(url => told.push(`first: ${url}`))
    for (let time = 0; time < 20_000; time++) cordova(host, () => {}).receive(() => told.push('stopped'))()
    host.handleOpenURL?.('a')
    stopLast()
    expect(host.handleOpenURL).toBe(own)
    for (let time = 0; time < 20_000; time++) cordova(host, () => {}).receive(() => {})()
    host.handleOpenURL?.('b')
    expect(told).toEqual(['first: a', 'app: a', 'app: b'])
  })

  test('calls all listeners, also after other code has replaced it [F5.7]', () => {
    const told: string[] = []
    const host: Host = {}
    const links = cordova(host, () => {})
    const stops = ['one', 'two'].map(name => links.receive(url => told.push(`${name}: ${url}`)))
    const inner = host.handleOpenURL
    host.handleOpenURL = url => {
      told.push(`other: ${url}`)
      inner?.(url)
    }
    const outer = host.handleOpenURL
    host.handleOpenURL('a')
    for (const stop of stops) stop()
    expect(host.handleOpenURL).toBe(outer)
    for (let time = 0; time < 20_000; time++) links.receive(() => {})()
    expect(host.handleOpenURL).toBe(outer)
    host.handleOpenURL('b')
    expect(told).toEqual(['other: a', 'one: a', 'two: a', 'other: b'])
  })
})

test('an error without state that opens the app is the authorization response [F2.9]', async () => {
  const { begin, links } = phone()
  const { answer } = begin()
  links.emit(`${REDIRECT}?code=1`)
  links.emit(`${REDIRECT}?error=x&state=other`)
  links.emit(`${REDIRECT}?error=invalid_scope`)
  expect(await answer).toBe(`${REDIRECT}?error=invalid_scope`)
})

test('cordova() calls each listener once if the app has wrapped our handler with its own [F5.7]', () => {
  const told: string[] = []
  const host: { handleOpenURL?: (url: string) => void } = {}
  const options = cordova(host, () => {})
  options.receive(url => told.push(`first: ${url}`))
  const before = host.handleOpenURL
  host.handleOpenURL = url => {
    told.push(`app: ${url}`)
    before?.(url)
  }
  for (let round = 0; round < 20_000; round++) options.receive(() => told.push('nobody'))()
  options.receive(url => told.push(`second: ${url}`))
  host.handleOpenURL?.('a')
  expect(told).toEqual(['second: a', 'app: a', 'first: a'])
})
