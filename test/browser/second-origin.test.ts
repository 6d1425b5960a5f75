import { inject } from 'vitest'
import { secondOriginContract } from '../contracts/second-origin.ts'
import type { Recorded } from '../support/recorded.ts'

secondOriginContract('the fetch of Chromium', () => ({
  ...inject('recording'),
  async take(origin) {
    const response = await fetch(`${origin}/taken?under=/`)
    return (await response.json()) as Recorded[]
  },
  subdomains: true,
  relative: true,
}))
