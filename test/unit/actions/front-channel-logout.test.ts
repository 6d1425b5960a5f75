import { expect, test } from 'vitest'
import { frontChannelLogout } from '../../../src/actions/front-channel-logout.ts'
import { worlds } from '../../support/world.ts'

const world = worlds()
const PAGE = 'https://app.example.com/logged-out-elsewhere'

const signedIn = async () => {
  const here = world()
  here.as.idTokenClaims = { sid: 'session-1' }
  const client = await here.signedIn()
  return { client, issuer: encodeURIComponent(here.as.issuer) }
}

test("a provider's logout request for this session ends it [LO09]", async () => {
  const { client, issuer } = await signedIn()
  expect(await frontChannelLogout(client, `${PAGE}?iss=${issuer}&sid=session-1`)).toBe(true)
  expect(client.session).toEqual({ status: 'signed-out', reason: 'signed_out' })
  expect(await frontChannelLogout(client, `${PAGE}?iss=${issuer}&sid=session-1`)).toBe(false)
})

test.for([
  'iss=ISSUER&sid=session-2',
  'iss=https%3A%2F%2Fevil.example&sid=session-1',
  'iss=ISSUER',
  'sid=session-1',
  '',
  'iss=ISSUER&sid=session-1&sid=session-1',
])('a logout request with %s is for another session, and the session is kept [LO09]', async query => {
  const { client, issuer } = await signedIn()
  expect(await frontChannelLogout(client, `${PAGE}?${query.replace('ISSUER', issuer)}`)).toBe(false)
  expect(client.session.status).toBe('signed-in')
})
