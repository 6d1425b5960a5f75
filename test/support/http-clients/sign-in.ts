import { createScriptedUserAgent } from '../../../examples/demo/scripted-user-agent.ts'
import { type Client, createClient, loopback, memory } from '../../../src/runtime/node.ts'
import type { TestServers } from '../server.ts'
import type { Api } from './api.ts'

/** A client whose user has just signed in at the real provider, by its forms and a loopback redirect. */
export async function signedInAt(servers: TestServers, api: Api): Promise<Client> {
  const client = createClient({
    issuer: servers.issuer,
    clientId: 'demo-cli',
    scope: 'openid offline_access notes:read',
    allowedOrigins: [api.origin],
    store: memory(),
    userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
  })
  await client.signIn()
  return client
}

export const isExpired = ({ session }: Pick<Client, 'session'>): boolean =>
  session.status === 'signed-in' && Date.now() >= (session.accessTokenExpiresAt ?? Infinity)
