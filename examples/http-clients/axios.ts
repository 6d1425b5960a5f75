import axios from 'axios'
import type { Client } from 'latchkey'

export const createApi = (client: Pick<Client, 'fetch'>, baseURL: string) =>
  axios.create({ baseURL, adapter: 'fetch', env: { fetch: client.fetch } })
