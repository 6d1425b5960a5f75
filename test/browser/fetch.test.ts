import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { fetchContract } from '../contracts/fetch.ts'
import type { Recorded } from '../support/recorded.ts'
import { recordedClient } from '../support/recorded-client.ts'

const { api } = inject('recording')

// the base of relative URLs in this page during these tests
const base = document.createElement('base')
base.href = `${api}/p/`
beforeAll(() => document.head.prepend(base))
const frame = document.createElement('iframe')
beforeAll(() => document.body.append(frame))
afterAll(() => {
  base.remove()
  frame.remove()
})

fetchContract('fetch of Chromium', () => ({
  origin: api,
  async take(under) {
    const response = await fetch(`${api}/taken?under=${encodeURIComponent(under)}`)
    return (await response.json()) as Recorded[]
  },
  // streams can be sent over HTTP/2 only
  kinds: { streams: false, relative: true, realm: 'all' },
  realm: frame.contentWindow as Window & typeof globalThis,
  shuffles: true,
  seed: inject('seed'),
}))

test('a call with keepalive and more than half of its quota is replayed, or its 401 is returned [F3.4]', async () => {
  const client = await recordedClient([api])
  const body = 'x'.repeat(40 * 1024)
  const response = await client.fetch(`${api}/p/401-once/keepalive`, {
    method: 'POST',
    keepalive: true,
    body,
  })
  client.dispose()
  // the browser decides when it frees the quota
  expect([200, 401]).toContain(response.status)
  expect(await response.text()).toBe(String(response.status))
})
