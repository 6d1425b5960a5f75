import { describe, expect, test } from 'vitest'
import { thirdPartyLogin } from '../../../src/actions/third-party-login.ts'
import { leaving } from '../../support/leaving.ts'
import { worlds } from '../../support/world.ts'

const world = worlds()
const PAGE = 'https://app.example.com/begin'

const setUp = () => {
  const here = world()
  const away = leaving(here.as)
  const client = here.client({ userAgent: away.userAgent })
  const { issuer } = here.as
  return { ...here, ...away, client, issuer, iss: `iss=${encodeURIComponent(issuer)}` }
}

describe('a third-party initiated login', () => {
  test('starts a sign-in with the hint and returns to the target page [RS22]', async () => {
    const { client, issuer, iss, requests, callbacks } = setUp()
    const address = `${PAGE}?${iss}&login_hint=alice%40example.com&target_link_uri=https%3A%2F%2Fapp.example.com%2Fnotes%3Fa%3Db`
    expect(await thirdPartyLogin(client, address, { issuer })).toBe(true)
    expect(requests[0]?.get('login_hint')).toBe('alice@example.com')
    expect(await client.handleCallback(callbacks[0] as string)).toMatchObject({
      returnTo: 'https://app.example.com/notes?a=b',
      session: { status: 'signed-in' },
    })
  })

  test('works without a hint and a target [RS22]', async () => {
    const { client, issuer, iss, requests } = setUp()
    expect(await thirdPartyLogin(client, `${PAGE}?${iss}`, { issuer })).toBe(true)
    expect(requests[0]?.has('login_hint')).toBe(false)
  })

  test.for([
    '',
    'iss=https%3A%2F%2Fevil.example',
    'ISS&iss=https%3A%2F%2Fevil.example',
    'iss=https%3A%2F%2Fid.example.com%2F',
    'ISS&login_hint=a&login_hint=b',
    'ISS&target_link_uri=%2Fa&target_link_uri=%2Fb',
    'login_hint=a',
  ])('with %j is ignored, and the page does not leave [RS22]', async query => {
    const { client, issuer, iss, requests } = setUp()
    expect(await thirdPartyLogin(client, `${PAGE}?${query.replace('ISS', iss)}`, { issuer })).toBe(false)
    expect(requests).toEqual([])
  })

  test.for(['https://evil.example/', '//evil.example/', 'javascript:alert(1)'])(
    'does not return to another origin, such as %s [RS22]',
    async target => {
      const { client, issuer, iss, requests } = setUp()
      const address = `${PAGE}?${iss}&target_link_uri=${encodeURIComponent(target)}`
      await expect(thirdPartyLogin(client, address, { issuer })).rejects.toMatchObject({
        code: 'ERR_CONFIGURATION',
        message: expect.stringContaining('returnTo'),
      })
      expect(requests).toEqual([])
    },
  )

  test('does not start in a frame [RS22]', async () => {
    const { client, issuer, iss, requests } = setUp()
    const begun = thirdPartyLogin(client, `${PAGE}?${iss}`, { issuer, framed: true })
    await expect(begun).rejects.toThrow(/frame-ancestors/)
    expect(requests).toEqual([])
  })
})
