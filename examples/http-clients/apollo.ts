import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client'
import type { Client } from 'latchkey'

export const createApi = (client: Pick<Client, 'fetch'>, uri: string) =>
  new ApolloClient({ link: new HttpLink({ uri, fetch: client.fetch }), cache: new InMemoryCache() })
