import { GraphQLClient } from 'graphql-request'
import type { Client } from 'latchkey'

export const createApi = (client: Pick<Client, 'fetch'>, url: string) =>
  new GraphQLClient(url, { fetch: client.fetch })
