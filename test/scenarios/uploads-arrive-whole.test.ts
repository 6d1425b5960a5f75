import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bytesFrom, MB, streamed, streamOf } from '../support/big-bodies.ts'
import { children } from '../support/child.ts'
import { fingerprint } from '../support/fingerprint.ts'
import { type RecordedClient, recordedClient } from '../support/recorded-client.ts'
import { type RecordingServer, startRecordingServer } from '../support/recording-server.ts'

const child = children()
let server: RecordingServer
let client: RecordedClient

beforeEach(async () => {
  server = await startRecordingServer()
  client = await recordedClient([server.origin])
})
afterEach(async () => {
  client.dispose()
  await server.close()
})

const formOf = () => {
  const form = new FormData()
  form.append('title', 'grüß')
  form.append('file', new File([bytesFrom(1, 5 * MB)], 'holiday.jpg', { type: 'image/jpeg' }))
  return form
}

const uploads: Record<string, (url: string) => Parameters<typeof fetch>> = {
  'a form with a file of 5 MB': url => [url, { method: 'POST', body: formOf() }],
  'a Request with a Blob of 5 MB': url => [
    new Request(url, { method: 'PUT', body: new Blob([bytesFrom(2, 5 * MB)], { type: 'video/mp4' }) }),
  ],
  'a long string': url => [url, { method: 'POST', body: 'grüß '.repeat(100_000) }],
  'bytes in the middle of a buffer': url => [
    url,
    { method: 'POST', body: bytesFrom(3, 5 * MB).subarray(1000, 4 * MB) },
  ],
}

describe.each(Object.entries(uploads))('%s', (_name, upload) => {
  /** The body when it is not sent. */
  const expected = async () =>
    fingerprint(new Uint8Array(await new Request(...upload('http://nowhere.example/')).arrayBuffer()))

  test('arrives complete', async () => {
    expect((await client.fetch(...upload(`${server.origin}/plain`))).status).toBe(200)
    expect(server.records).toHaveLength(1)
    expect(server.records[0]).toMatchObject(await expected())
  })

  test('arrives complete again when a 401 causes a replay', async () => {
    expect((await client.fetch(...upload(`${server.origin}/401-once/`))).status).toBe(200)
    const print = await expected()
    expect(server.records).toMatchObject([print, print])
    expect(client.refreshes()).toBe(1)
  })
})

describe('a stream of 50 MB', () => {
  test('arrives complete', async () => {
    const { stream, sha256 } = streamOf(50 * MB)
    expect((await client.fetch(`${server.origin}/plain`, streamed(stream))).status).toBe(200)
    expect(server.records).toMatchObject([{ sha256: sha256(), length: 50 * MB }])
  })

  test('is sent once, and the caller gets its 401', async () => {
    const { stream, sha256 } = streamOf(50 * MB)
    const response = await client.fetch(`${server.origin}/401-once/`, streamed(stream))
    expect([response.status, await response.text()]).toEqual([401, '401'])
    expect(server.records).toMatchObject([{ sha256: sha256(), length: 50 * MB }])
  })

  // Node's fetch keeps a copy of what it sends, unless redirects are disabled
  test.each(['follow', 'error'])(
    'uses less than 1 MB more memory than with plain fetch, with redirect: %s',
    async redirect => {
      const growth: Record<string, number> = {}
      for (const how of ['bare', 'client']) {
        const process = child('upload-stream', server.origin, how, redirect)
        expect(await process.ended).toBe(0)
        const { status, sha256, most, after } = JSON.parse(process.lines().at(-1) as string)
        console.log(
          `50 MB, redirect ${redirect}, ${how}: grew by ${most} bytes on the way, ${after} afterwards`,
        )
        expect(status).toBe(200)
        expect(server.take(`/${how}`)).toMatchObject([{ sha256, length: 50 * MB }])
        growth[how] = most
      }
      expect(growth.client).toBeLessThan((growth.bare as number) + MB)
      if (redirect === 'error') expect(growth.client).toBeLessThan(MB)
    },
  )
})
