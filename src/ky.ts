import ky, { type KyInstance, type Options } from 'ky'
import type { Client } from './core/client.ts'

/**
 * A ky instance whose requests carry the client's access token. ky retries, waits, parses and runs hooks as always;
 * a 401 has been refreshed and replayed before ky sees it, so leave 401 out of its `retry` options.
 * @param options as for `ky.create`, without `fetch`.
 */
export const createKy = (client: Pick<Client, 'fetch'>, options: Omit<Options, 'fetch'> = {}): KyInstance =>
  ky.create({ ...options, fetch: client.fetch })
