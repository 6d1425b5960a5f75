import type { Client } from 'latchkey'
import { createKy } from 'latchkey/ky'

export const createApi = (client: Pick<Client, 'fetch'>, baseUrl: string) =>
  createKy(client, { baseUrl, retry: 3 })
