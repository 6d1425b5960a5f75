import { expect, test } from 'vitest'
import { clientCredentials } from '../../src/grants.ts'
import { oauthError } from '../support/faults.ts'
import { strictGrants } from '../support/strict-grants.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const PHOTOS = 'https://photos.example.com'

test('a call with a narrower scope gets its own access token, which is refreshed separately', async () => {
  const { signedIn, as, expire } = world()
  const client = await signedIn({ scope: 'openid read write' })
  const whole = await client.getAccessToken()
  const part = await client.getAccessToken({ scope: 'read' })
  expect(part).not.toBe(whole)
  expect(as.tokenRequests.at(-1)).toMatchObject({ grantType: 'refresh_token', scope: 'read' })
  expect(await client.getAccessToken({ scope: ['read', ' read '] })).toBe(part)
  expect(await client.getAccessToken()).toBe(whole)
  expect(client.session).toMatchObject({ scope: ['openid', 'read', 'write'] })
  expect(as.count('refresh_token')).toBe(1)
  expire()
  const [again, both] = await Promise.all([
    client.getAccessToken({ scope: 'read' }),
    client.getAccessToken({ scope: 'write read' }),
  ])
  expect(new Set([whole, part, again, both]).size).toBe(4)
  expect(
    as.tokenRequests
      .slice(-2)
      .map(({ scope }) => scope)
      .sort(),
  ).toEqual(['read', 'read write'])
  expect(as.reuses).toBe(0)
})

test('a service gets a token for an API and a narrower scope, each from its own token request', async () => {
  const double = strictGrants()
  const { client, as } = world({ grants: double.grants })
  const service = client({
    grant: clientCredentials(),
    scope: 'read write',
    resources: { [PHOTOS]: { audience: 'photos' } },
  } as never)
  const ask = (scope?: string, resource?: string) => service.getAccessToken({ scope, resource })
  const tokens = [await ask(), await ask('read'), await ask('look', PHOTOS), await ask(undefined, PHOTOS)]
  expect(new Set(tokens).size).toBe(4)
  expect([await ask(), await ask('read'), await ask('look', PHOTOS), await ask(undefined, PHOTOS)]).toEqual(
    tokens,
  )
  expect(double.seen.map(({ form }) => [form.scope, form.audience])).toEqual([
    ['read write', undefined],
    ['read', undefined],
    ['look', 'photos'],
    ['read write', 'photos'],
  ])
  expect(as.count('client_credentials')).toBe(4)
})

test('a wider scope than the sign-in requested, or an invalid one, is rejected without a request', async () => {
  const { signedIn, as } = world()
  const client = await signedIn({ scope: 'openid read' })
  await expect(client.getAccessToken({ scope: 'admin' })).rejects.toMatchObject({ error: 'invalid_scope' })
  for (const scope of ['', ' ', 'a"b', []])
    await expect(client.getAccessToken({ scope })).rejects.toMatchObject({ code: 'ERR_CONFIGURATION' })
  expect(as.count('refresh_token')).toBe(0)
  as.failNext.push(oauthError('invalid_scope'))
  await expect(client.getAccessToken({ scope: 'read' })).rejects.toMatchObject({ error: 'invalid_scope' })
  expect(client.session.status).toBe('signed-in')
})

test('a record does not grow with every scope that was ever requested', async () => {
  const double = strictGrants()
  const { client, stored, expire } = world({ grants: double.grants })
  const service = client({ grant: clientCredentials(), scope: '' } as never)
  const names = async () => Object.keys(((await stored())[0] as { resources: object }).resources).length
  for (let index = 0; index < 30; index++) await service.getAccessToken({ scope: `s${index}` })
  expect(await names()).toBe(20)
  expire()
  await service.getAccessToken({ scope: 'last' })
  expect(await names()).toBe(1)
})
