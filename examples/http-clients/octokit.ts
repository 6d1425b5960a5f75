import { Octokit } from '@octokit/core'
import type { Client } from 'latchkey'

/** Without `auth`: what it names would go out in place of the access token. */
export const createOctokit = (client: Pick<Client, 'fetch'>, baseUrl = 'https://api.github.com') =>
  new Octokit({ baseUrl, request: { fetch: client.fetch } })
