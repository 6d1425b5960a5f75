import { QueryClient } from '@tanstack/react-query'
import type { Client } from 'latchkey'
import { onUserChange } from 'latchkey/react'

export function createQueries(client: Client) {
  const queries = new QueryClient()
  onUserChange(client, () => queries.clear())
  return queries
}
