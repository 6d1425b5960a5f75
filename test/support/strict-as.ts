import { delay, http, type RequestHandler } from 'msw'
import type { Clock } from '../../src/core/ports.ts'
import { type AuthorizationServerOptions, createTestServer, mswHandlers } from '../../src/testing.ts'

export type { GrantHandler as StrictGrant } from '../../src/testing.ts'

export interface StrictAsOptions extends AuthorizationServerOptions {
  clock: Clock
  /** How many milliseconds of real time every response takes. Default 0. */
  latencyMs?: number
}

/** The members of its metadata. The test kit's server supports more; a test announces what it needs. */
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

/** The paths of its endpoints. The tests' API records requests to other paths of its origin. */
const PATHS = /\/(\.well-known\/openid-configuration|jwks|token|revoke|par)$/

export type StrictAs = ReturnType<typeof createStrictAs>

/** The authorization server of `latchkey/testing` as msw handlers. It announces only what the code flow needs. */
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
