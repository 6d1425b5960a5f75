import { afterAll, beforeAll, inject } from 'vitest'
import { fetchContract } from '../contracts/fetch.ts'
import type { Recorded } from '../support/recorded.ts'

const { api } = inject('recording')

// what relative URLs of this page are resolved against, for as long as these tests run
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
  // streams go out over HTTP/2 only
  kinds: { streams: false, relative: true, realm: 'all' },
  realm: frame.contentWindow as Window & typeof globalThis,
  shuffles: true,
  seed: inject('seed'),
}))
