import { getRequestListener } from '@hono/node-server'
import { ResponseBodyError } from 'oauth4webapi'
import { beforeAll, expect, test } from 'vitest'
import { toLatchkeyError } from '../../src/authorization/failure.ts'
import { libraryStage } from '../support/http-clients/stage.ts'

const stage = libraryStage()

const native = { Request, Response }
// from then on, the global Request and Response are classes of @hono/node-server
beforeAll(() => void getRequestListener(() => new Response('own')))

test('@hono/node-server has replaced the global Request and Response', () => {
  expect(Request).not.toBe(native.Request)
  expect(Response).not.toBe(native.Response)
})

test.each(['of @hono/node-server', 'of Node, made before'])(
  'a Request %s is replayed with its body after a 401',
  async whose => {
    const client = await stage.signedIn()
    const Kind = whose.startsWith('of Node') ? native.Request : Request
    await stage.servers.revokeAccessTokensOf('alice')
    const request = new Kind(`${stage.api.origin}/notes`, {
      ...{ method: 'POST', body: '{"text":"milk"}', headers: { 'content-type': 'application/json' } },
    })
    expect((await client.fetch(request)).status).toBe(201)
    expect(stage.api.requests.map(({ status, body }) => [status, body])).toEqual([
      [401, '{"text":"milk"}'],
      [201, '{"text":"milk"}'],
    ])
  },
)

test('a server that is unavailable during a refresh is a network error with its status, and the session continues', async () => {
  const client = await stage.signedIn()
  stage.servers.fault('unavailable')
  await expect(client.getAccessToken({ forceRefresh: true })).rejects.toMatchObject({
    ...{ code: 'ERR_NETWORK', reason: 'unavailable', status: 503 },
  })
  expect(client.session.status).toBe('signed-in')
  stage.servers.fault(undefined)
})

test.each([
  [400, { code: 'ERR_SERVER', status: 400, error: 'temporarily_unavailable' }],
  [503, { code: 'ERR_NETWORK', status: 503, reason: 'unavailable' }],
])('a refused request has the status of its response: %d', (status, members) => {
  const refused = new ResponseBodyError('refused', {
    cause: { error: 'temporarily_unavailable' },
    response: new native.Response('{}', { status }),
  })
  expect(toLatchkeyError(refused, 'The request', 0)).toMatchObject(members)
})
