import { expect, vi } from 'vitest'
import type { Api, ApiRequest } from './api.ts'
import { type Note, noteOf, written } from './notes.ts'

/** The text to write. No replay may change a byte of it. */
export const TEXT = 'Grüße, "quoted" \\ and \u{1F511}\n'

/** The results of reading note 7 and writing `TEXT`. */
export const ROUND: readonly Note[] = [noteOf(7), written(TEXT)]

/** The results of many concurrent calls, in order: reads and writes alternate. */
export const manyNotes = (count: number): Note[] =>
  Array.from({ length: count }, (_, index) => (index % 2 ? written(`${TEXT} ${index}`) : noteOf(index)))

/** The requests whose token the API refused. */
export const refusalsAt = (api: Api): readonly ApiRequest[] =>
  api.requests.filter(({ status }) => status === 401)

/** The content of a request without its token, for comparing. */
const content = ({ method, url, headers, body }: ApiRequest) => JSON.stringify({ method, url, headers, body })

/**
 * Waits until every request that got a 401 has arrived once more, with the same headers and bytes, and was accepted.
 * A library may still send another request after its calls have settled, such as the Model Context Protocol's stream.
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
