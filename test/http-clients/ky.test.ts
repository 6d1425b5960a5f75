import { TimeoutError } from 'ky'
import { expect, test } from 'vitest'
import { createKy } from '../../src/ky.ts'
import { noteOf, written } from '../support/http-clients/notes.ts'
import { libraryStage } from '../support/http-clients/stage.ts'

const stage = libraryStage()

const statuses = () => stage.api.requests.map(({ status }) => status)

test('a POST that ky itself never retries is replayed once after a 401', async () => {
  const client = await stage.signedIn()
  const ky = createKy(client, { baseUrl: stage.api.origin, retry: 0 })
  await stage.servers.revokeAccessTokensOf('alice')
  expect(await ky.post('notes', { json: { text: 'milk' } }).json()).toEqual(written('milk'))
  expect(statuses()).toEqual([401, 201])
  expect(stage.api.requests.map(({ body }) => body)).toEqual(['{"text":"milk"}', '{"text":"milk"}'])
})

test("ky's own retry handles a 503 that follows the refresh", async () => {
  const client = await stage.signedIn()
  const ky = createKy(client, { baseUrl: stage.api.origin, retry: { limit: 1, delay: () => 0 } })
  await stage.servers.revokeAccessTokensOf('alice')
  stage.api.failNext(503)
  expect(await ky.get('notes/7').json()).toEqual(noteOf(7))
  expect(statuses()).toEqual([401, 503, 200])
  expect(stage.servers.refreshes()).toHaveLength(1)
})

test('a time-out of ky ends only its own call, and another call gets the refreshed token', async () => {
  const client = await stage.signedIn()
  const patient = createKy(client, { baseUrl: stage.api.origin, timeout: false, retry: 0 })
  const hasty = createKy(client, { baseUrl: stage.api.origin, timeout: 500, retry: 0 })
  await stage.servers.revokeAccessTokensOf('alice')
  stage.servers.fault('late')
  const note = patient.get('notes/7').json()
  await expect.poll(() => stage.servers.refreshes().length).toBe(1)

  await expect(hasty.get('notes/8').json()).rejects.toThrow(TimeoutError)
  expect(stage.servers.refreshes()).toMatchObject([{ status: undefined }])
  stage.servers.fault(undefined)
  expect(await note).toEqual(noteOf(7))
  expect(stage.servers.refreshes()).toMatchObject([{ status: 200 }])
  expect(client.session.status).toBe('signed-in')
  expect(await patient.get('notes/8').json()).toEqual(noteOf(8))
  expect(stage.servers.refreshes()).toHaveLength(1)
})
