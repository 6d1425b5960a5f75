import { getResponse, type RequestHandler } from 'msw'
import type { Fetch } from '../../src/core/ports.ts'

/** A `fetch` that msw handlers answer. The global `fetch` stays as it is. */
export const handledFetch =
  (handlers: RequestHandler[]): Fetch =>
  async (input, init) => {
    const request = new Request(input, init)
    const { signal } = request
    signal.throwIfAborted()
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    const response = await Promise.race([getResponse(handlers, request), aborted])
    if (!response) throw new Error(`Nobody answers ${request.method} ${request.url}.`)
    if (response.type === 'error') throw new TypeError('Failed to fetch')
    return response
  }
