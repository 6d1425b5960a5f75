import { createScriptedUserAgent } from '../../examples/demo/scripted-user-agent.ts'
import { startAuthorizationServer } from '../../examples/demo/servers/authorization-server.ts'
import type { Fetch } from '../../src/extending.ts'
import { loopback } from '../../src/node.ts'
import { createTestServer } from '../../src/testing.ts'
import { authorizationServerContract } from './authorization-server.ts'

authorizationServerContract('the server of latchkey/testing', async () => {
  const server = createTestServer()
  server.dpopNonce = 'nonce-1'
  return {
    options: server.options('alice'),
    fetch: server.fetch,
    apiUrl: `${server.api}/notes`,
    credentials: server.introspectionCredentials,
    revokeAccessTokens: async () => server.revokeAccessTokens(),
  }
})

authorizationServerContract('oidc-provider', async () => {
  const server = await startAuthorizationServer({ accessTokenSeconds: 3600, dpopNonce: true })
  const api = 'https://api.example.com'
  /** An API that does not need to run: the provider shows which access token it would receive. */
  const fetch: Fetch = async (input, init) => {
    const request = new Request(input, init)
    if (request.url.startsWith(server.issuer)) return globalThis.fetch(request)
    const accessToken = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
    const found = await server.provider.AccessToken.find(accessToken)
    const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' }
    return found ? Response.json({}) : new Response(null, { status: 401, headers: challenge })
  }
  return {
    options: {
      issuer: server.issuer,
      clientId: 'demo-cli',
      redirectUri: 'http://127.0.0.1/callback',
      scope: 'openid offline_access notes:read',
      allowedOrigins: [api],
      userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
    },
    fetch,
    apiUrl: `${api}/notes`,
    credentials: server.introspectionCredentials,
    revokeAccessTokens: async () => void (await server.revokeAccessTokensOf('alice')),
    close: server.close,
  }
})
