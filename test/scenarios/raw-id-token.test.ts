import { expect, test } from 'vitest'
import { idToken } from '../../src/id-token.ts'
import { altered } from '../support/faults.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

const claimsOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1] as string, 'base64url').toString())

test('the raw ID Token of the session is returned without a request while it is valid [F8.4]', async () => {
  const { signedIn, as } = world()
  const client = await signedIn()
  expect(claimsOf(await idToken(client))).toMatchObject({ sub: 'alice', aud: 'app', iss: as.issuer })
  expect(as.count('refresh_token')).toBe(0)
})

test('an expired or expiring ID Token is refreshed first, even if the access token is fresh [F8.4]', async () => {
  const { signedIn, as, clock } = world({ accessTokenSeconds: 30_000 })
  const client = await signedIn()
  const old = await idToken(client)
  clock.advance(3_600_000 - 20_000)
  const [one, other] = await Promise.all([idToken(client), idToken(client)])
  expect(one).toBe(other)
  expect(claimsOf(one).exp).toBeGreaterThan(claimsOf(old).exp)
  expect(as.count('refresh_token')).toBe(1)
  expect(await idToken(client, { minValiditySeconds: 3500 })).toBe(one)
})

test('the error names a server that returns no ID Token with a refresh, and the session stays [F8.4]', async () => {
  const { signedIn, as, clock } = world({ accessTokenSeconds: 30_000 })
  const client = await signedIn()
  clock.advance(3_700_000)
  as.failNext.push(altered({ id_token: undefined }))
  await expect(idToken(client)).rejects.toMatchObject({ code: 'ERR_SERVER', error: 'invalid_response' })
  expect(client.session.status).toBe('signed-in')
})

test('the error says why there is no ID Token without a session or without the scope openid [F8.4]', async () => {
  const { client, signedIn } = world()
  await expect(idToken(client())).rejects.toMatchObject({ reason: 'no_session' })
  await expect(idToken(await signedIn({ scope: 'read' }))).rejects.toMatchObject({
    code: 'ERR_CONFIGURATION',
  })
})

test('no session, event or report contains the ID Token [F8.4]', async () => {
  const { signedIn } = world()
  const client = await signedIn()
  const jwt = await idToken(client)
  expect(JSON.stringify([client.session, client.explain(), client.told])).not.toContain(jwt)
})
