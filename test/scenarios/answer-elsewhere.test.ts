import { describe, expect, test } from 'vitest'
import { CallbackError } from '../../src/errors.ts'
import { leaving, pageAt } from '../support/leaving.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

/** How a host, a server or a relay changes the address of an authorization response. */
type Change = (answer: URL) => string

/** Loads a page with this authorization response, in an app that calls signIn() whenever it is signed out. */
async function rounds(change: Change, most = 12) {
  const here = world()
  const away = leaving(here.as)
  const errors: unknown[] = []
  let address = 'https://app.example.com/'
  for (let round = 1; round <= most; round++) {
    const page = pageAt(address)
    const client = here.client({ page, userAgent: away.userAgent })
    const { status } = await client.start().catch(error => {
      errors.push(error)
      return client.session
    })
    if (status === 'signed-in') return { here, away, errors, page, client, status }
    const stopped = await client.signIn().then(
      () => undefined,
      (error: unknown) => error,
    )
    if (stopped) return { here, away, errors: [...errors, stopped], page, client, status }
    address = change(new URL(away.callbacks.at(-1) as string))
  }
  throw new Error('It never stopped.')
}

const toFragment: Change = ({ origin, pathname, searchParams }) => `${origin}${pathname}#${searchParams}`
const at =
  (pathname: string): Change =>
  ({ origin, search }) =>
    origin + pathname + search

describe("an authorization response to this client's sign-in is completed on the first try", () => {
  test.for<[string, Change]>([
    ['unchanged', url => url.href],
    ['with a slash that the host adds', at('/callback/')],
    ['when the host serves index.html', at('/callback/index.html')],
    ['in different case', at('/Callback')],
    ['in the fragment', toFragment],
  ])('%s [F8.2]', async ([, change]) => {
    const { status, away, errors, page } = await rounds(change)
    expect([status, away.requests.length, errors]).toEqual(['signed-in', 1, []])
    expect(page.location()).not.toMatch(/code=|state=/)
  })
})

describe('an authorization response that cannot be completed never causes a loop', () => {
  test.for<[string, Change, string]>([
    ['at another path', at('/welcome'), 'wrong_address'],
    ['at the root', at('/'), 'wrong_address'],
    ['at another path and in the fragment', url => toFragment(new URL(at('/welcome')(url))), 'wrong_address'],
    [
      'as an error without state',
      ({ origin, pathname }) => `${origin}${pathname}/?error=server_error`,
      'authorization_error',
    ],
    [
      'as an error without state in the fragment',
      ({ origin, pathname }) => `${origin}${pathname}#error=server_error`,
      'authorization_error',
    ],
  ])('%s [F8.2]', async ([, change, reason]) => {
    const { errors, away, page, here } = await rounds(change)
    expect(errors[0]).toMatchObject({ code: 'ERR_CALLBACK', reason })
    expect(errors.at(-1)).toMatchObject({ reason: 'redirect_loop' })
    expect(away.requests.length).toBeLessThanOrEqual(6)
    expect(page.location()).not.toMatch(/code=|state=|error=/)
    expect(here.as.count('authorization_code')).toBe(0)
  })

  test('when its parameters are lost in transit, because departures are counted [F8.2]', async () => {
    const { errors, away } = await rounds(({ origin, pathname }) => origin + pathname)
    expect(errors).toEqual([expect.objectContaining({ reason: 'redirect_loop' })])
    expect(away.requests).toHaveLength(6)
  })
})

test('an authorization response at the wrong address is reported with both addresses, and can still be handled at the right one [F8.2]', async () => {
  const here = world()
  const away = leaving(here.as)
  await here.client({ userAgent: away.userAgent }).signIn()
  const answer = away.callbacks[0] as string
  const client = here.client({ page: pageAt(at('/welcome')(new URL(answer))) })
  const error = (await client.start().catch((thrown: unknown) => thrown)) as CallbackError
  expect(error).toBeInstanceOf(CallbackError)
  expect(error.message).toMatch(
    /^The authorization response arrived at https:\/\/app\.example\.com\/welcome instead of the redirect URI https:\/\/app\.example\.com\/callback\. Set "redirectUri"/,
  )
  expect(await client.handleCallback(answer)).toMatchObject({ handled: true })
})

test('an authorization response with an access token in its fragment is rejected and removed from the address [F8.2]', async () => {
  const here = world()
  const away = leaving(here.as)
  await here.client({ userAgent: away.userAgent }).signIn()
  const { origin, pathname, searchParams } = new URL(away.callbacks[0] as string)
  searchParams.delete('code')
  const page = pageAt(`${origin}${pathname}#access_token=injected&${searchParams}`)
  const client = here.client({ page })
  await expect(client.start()).rejects.toMatchObject({ reason: 'invalid_response' })
  expect(page.location()).toBe(origin + pathname)
  expect(JSON.stringify(await here.stored(''))).not.toContain('injected')
})

test('an authorization response for another client is ignored, wherever it arrives [F8.2]', async () => {
  for (const address of [
    'https://app.example.com/other?code=a&state=lk.unknown',
    'https://app.example.com/other#code=a&state=lk.unknown',
    'https://app.example.com/callback#/notes?code=a&state=lk.unknown',
    'https://app.example.com/callback#code=a&state=theirs',
  ]) {
    const here = world()
    const page = pageAt(address)
    expect(await here.client({ page }).start()).toEqual({ status: 'signed-out' })
    expect(page.location()).toBe(address)
  }
})
