import { delay, http, type RequestHandler } from 'msw'
import type { Clock } from '../../src/core/ports.ts'
import { type AuthorizationServerOptions, createTestServer, mswHandlers } from '../../src/testing.ts'

export type { GrantHandler as StrictGrant } from '../../src/testing.ts'

export interface StrictAsOptions extends AuthorizationServerOptions {
  clock: Clock
  /** How long every answer takes, in real time. Default 0. */
  latencyMs?: number
}

/** What its metadata announces. The kit's server knows more, which a test announces where it is about that. */
const ANNOUNCED = [
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'revocation_endpoint',
  'jwks_uri',
  'response_types_supported',
  'code_challenge_methods_supported',
  'authorization_response_iss_parameter_supported',
]

/** Where it answers. What goes elsewhere at its origin is noted by the API of the tests. */
const PATHS = /\/(\.well-known\/openid-configuration|jwks|token|revoke|par)$/

export type StrictAs = ReturnType<typeof createStrictAs>

/** The authorization server of `latchkey/testing` as msw handlers, which announces no more than the code flow needs. */
export function createStrictAs({ latencyMs = 0, ...options }: StrictAsOptions) {
  const server = createTestServer({ ...options, api: 'https://no-api.example.com' })
  for (const name of Object.keys(server.metadata)) {
    if (!ANNOUNCED.includes(name)) delete server.metadata[name]
  }
  const { token, revocation, metadata, keys } = server.faults
  const handle: typeof server.handle = async request => {
    if (latencyMs) await delay(latencyMs)
    return PATHS.test(new URL(request.url).pathname) ? server.handle(request) : undefined
  }
  const handlers: RequestHandler[] = mswHandlers({ ...server, handle }, http)
  return Object.assign(server, {
    handlers,
    failNext: token,
    failRevocation: revocation,
    failMetadata: metadata,
    failKeys: keys,
  })
}
