import { Octokit } from '@octokit/core'
import type { Client } from 'latchkey'

/** Leave `auth` out: Octokit would send it instead of the access token. */
export const createOctokit = (client: Pick<Client, 'fetch'>, baseUrl = 'https://api.github.com') =>
  new Octokit({ baseUrl, request: { fetch: client.fetch } })
