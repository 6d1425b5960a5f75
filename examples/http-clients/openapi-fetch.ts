import type { Client } from 'latchkey'
import createOpenApiClient from 'openapi-fetch'

/** `Paths` is the type that openapi-typescript generates from the API's description. */
export const createApi = <Paths extends object>(client: Pick<Client, 'fetch'>, baseUrl: string) =>
  createOpenApiClient<Paths>({ baseUrl, fetch: client.fetch })
