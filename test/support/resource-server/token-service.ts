import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HttpResponse, http } from 'msw'
import { deviceClock } from '../../../src/platform/device.ts'
import { importKey, isSignedBy, parseJwt } from '../../../src/resource-server/jwt.ts'
import { handledFetch } from '../handled-fetch.ts'
import { createTestIssuer, thumbprint } from './issuer.ts'

/** One request to the token endpoint, and whether it was granted. */
export interface TokenServiceEntry {
  readonly clientId: string
  readonly grantType: string
  readonly audience: string
  readonly outcome: string
}

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/**
 * Starts an authorization server over HTTP that exchanges tokens (RFC 8693) and issues tokens to services, bound to the key
 * of the DPoP proof if there is one. All tokens are JWTs.
 */
export async function startTokenService(secrets: Readonly<Record<string, string>>) {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer = createTestIssuer({ issuer: url, clock: deviceClock as never })
  const entries: TokenServiceEntry[] = []
  const ended = new Set<unknown>()

  /** The claims of a valid token of this issuer, and the user's session. */
  const verified = async (token: string) => {
    const jwt = parseJwt(token)
    const key = await importKey(issuer.key.jwk, 'ES256')
    const isOurs = jwt && key && (await isSignedBy(jwt, key, 'ES256'))
    const isAlive = isOurs && Number(jwt.claims.exp) > issuer.now() && !ended.has(jwt.claims.sub)
    return isAlive ? jwt.claims : undefined
  }
  const refuse = (error: string, status = 400) => HttpResponse.json({ error }, { status })
  const token = async (request: Request): Promise<Response> => {
    const form = new URLSearchParams(await request.text())
    const basic = atob(request.headers.get('authorization')?.replace('Basic ', '') ?? '')
    const [clientId = '', secret] = basic.split(':').map(decodeURIComponent)
    const [grantType = '', audience = '', scope = ''] = ['grant_type', 'audience', 'scope'].map(
      name => form.get(name) ?? '',
    )
    const answer = async () => {
      if (!secret || secrets[clientId] !== secret) return refuse('invalid_client', 401)
      const proof = parseJwt(request.headers.get('dpop') ?? '')
      const jkt = proof && thumbprint(proof.header.jwk as Record<string, unknown>)
      const bound = { ...(jkt && { cnf: { jkt } }), client_id: clientId, aud: audience, scope }
      const type = jkt ? 'DPoP' : 'Bearer'
      if (grantType === 'client_credentials') {
        const access_token = issuer.accessToken({ ...bound, sub: clientId })
        return HttpResponse.json({ access_token, token_type: type, expires_in: 300, scope })
      }
      const subject = grantType === EXCHANGE ? await verified(form.get('subject_token') ?? '') : undefined
      if (!subject || ![subject.aud].flat().includes(clientId)) return refuse('invalid_request')
      const access_token = issuer.accessToken({ ...bound, sub: subject.sub, act: { sub: clientId } })
      const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token'
      return HttpResponse.json({ access_token, issued_token_type, token_type: type, expires_in: 300, scope })
    }
    const answered = await answer()
    const { error = 'ok' } = (await answered.clone().json()) as { error?: string }
    entries.push({ clientId, grantType, audience, outcome: error })
    return answered
  }
  const metadata = {
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    jwks_uri: `${url}/jwks`,
  }
  const fetch = handledFetch([
    http.get(`${url}/.well-known/openid-configuration`, () => HttpResponse.json(metadata)),
    http.post(`${url}/token`, ({ request }) => token(request)),
    ...issuer.handlers,
  ])
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = 'GET', headers } = request
    const sent = Object.entries(headers).filter(
      (pair): pair is [string, string] => typeof pair[1] === 'string',
    )
    const body = method === 'POST' ? Buffer.concat(chunks) : null
    const answer = await fetch(`${url}${request.url}`, { method, headers: Object.fromEntries(sent), body })
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
  })
  return {
    url,
    entries,
    /** The access token of a user's app, for the first service. */
    userToken: (sub: string, change = {}) =>
      issuer.accessToken({ sub, client_id: 'shop', aud: 'orders', scope: 'orders:write', ...change }),
    endSession: (sub: string) => void ended.add(sub),
    close: () =>
      new Promise<void>(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
