import { expect, test } from 'vitest'
import { hold } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test('one caller that aborts ends only its own wait; the others and the refresh continue [RQ19]', async () => {
  const { signedIn, as, api, expire } = world()
  const client = await signedIn()
  expire()
  const answer = hold()
  as.failNext.push(answer)
  const controller = new AbortController()
  const reason = new Error('no longer needed')
  const impatient = client.fetch(`${API}/me`, { signal: controller.signal }).catch((error: unknown) => error)
  const others = [client.fetch(`${API}/me`), client.getAccessToken()]
  await answer.arrived
  controller.abort(reason)
  expect(await impatient).toBe(reason)
  answer.release()
  expect(await others[0]).toMatchObject({ status: 200 })
  expect(await others[1]).toEqual(expect.any(String))
  expect(as.count('refresh_token')).toBe(1)
  expect(api.requests).toHaveLength(1)
})

test('an abort by the only caller does not stop the refresh, whose tokens are stored', async () => {
  const { signedIn, as, stored, expire } = world()
  const client = await signedIn()
  expire()
  const answer = hold()
  as.failNext.push(answer)
  const controller = new AbortController()
  const call = client.fetch(`${API}/me`, { signal: controller.signal })
  await answer.arrived
  controller.abort()
  await expect(call).rejects.toMatchObject({ name: 'AbortError' })
  answer.release()
  await expect.poll(async () => (await stored())[0]).toMatchObject({ version: 2 })
})

test.each<[string, (signal: AbortSignal) => [RequestInfo, RequestInit?]]>([
  ['in init', signal => [`${API}/me`, { signal }]],
  ['of a Request', signal => [new Request(`${API}/me`, { signal })]],
])('a call that is already aborted, by a signal %s, sends nothing', async (_what, args) => {
  const { signedIn, as, api, expire } = world()
  const client = await signedIn()
  expire()
  await expect(client.fetch(...args(AbortSignal.abort()))).rejects.toMatchObject({ name: 'AbortError' })
  expect([as.count('refresh_token'), api.requests.length]).toEqual([0, 0])
})
