import { QueryClient } from '@tanstack/query-core'
import { type Client, LatchkeyError } from 'latchkey'

/** A query's key is the path that it reads: `useQuery({ queryKey: ['notes', 7] })`. */
export const createQueries = (client: Pick<Client, 'fetch'>, baseUrl: string) =>
  new QueryClient({
    defaultOptions: {
      queries: {
        async queryFn({ queryKey, signal }) {
          const response = await client.fetch(new URL(queryKey.join('/'), baseUrl), { signal })
          if (!response.ok) throw new Error(`The API answered ${response.status}.`)
          return response.json()
        },
        retry: (count, error) => count < 3 && (!(error instanceof LatchkeyError) || error.retryable),
      },
    },
  })
