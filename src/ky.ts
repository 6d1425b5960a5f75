import ky, { type KyInstance, type Options } from 'ky'
import type { Client } from './core/client.ts'

/**
 * Creates a ky instance whose requests carry the client's access token. ky retries, parses and runs hooks as usual. After a
 * 401, latchkey refreshes and replays the request before ky sees the response, so leave 401 out of ky's `retry` options.
 * @param options as for `ky.create`, without `fetch`.
 */
export const createKy = (client: Pick<Client, 'fetch'>, options: Omit<Options, 'fetch'> = {}): KyInstance =>
  ky.create({ ...options, fetch: client.fetch })
