import type { Client } from 'latchkey'
import { createFetch } from 'ofetch'

export const createApi = (client: Pick<Client, 'fetch'>, baseURL: string) =>
  createFetch({ fetch: client.fetch, defaults: { baseURL } })
