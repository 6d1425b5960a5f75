import { expect, vi } from 'vitest'
import type { Api, ApiRequest } from './api.ts'
import { type Note, noteOf, written } from './notes.ts'

/** What is written: no replay may change a byte of it. */
export const TEXT = 'Grüße, "quoted" \\ and \u{1F511}\n'

/** What reading note 7 and writing `TEXT` come to. */
export const ROUND: readonly Note[] = [noteOf(7), written(TEXT)]

/** What many at once come to, in their order: every other one reads, the others write. */
export const manyNotes = (count: number): Note[] =>
  Array.from({ length: count }, (_, index) => (index % 2 ? written(`${TEXT} ${index}`) : noteOf(index)))

/** How often the API refused a token. */
export const refusalsAt = (api: Api): readonly ApiRequest[] =>
  api.requests.filter(({ status }) => status === 401)

/** What makes two requests the same but for their token. */
const content = ({ method, url, headers, body }: ApiRequest) => JSON.stringify({ method, url, headers, body })

/**
 * Waits until every request that met a 401 came once more, the same in every header and byte, and was taken.
 * A library may have one more on its way while its calls are answered, such as the Model Context Protocol's stream.
 */
export const expectReplays = (api: Api): Promise<void> =>
  vi.waitFor(
    () => {
      const taken = api.requests.filter(({ status = 0 }) => status >= 200 && status < 300)
      const refused = refusalsAt(api)
      expect(taken.length + refused.length).toBe(api.requests.length)
      const left = taken.map(content)
      for (const request of refused.map(content)) {
        expect(left).toContain(request)
        left.splice(left.indexOf(request), 1)
      }
    },
    { timeout: 10_000 },
  )
