import { device } from './platform/device.ts'
import type { ProtectOptions } from './resource-server/options.ts'
import { createProtect, type Protect } from './resource-server/protect.ts'

export type { ClientAuthentication } from './core/extension.ts'
export type { Clock, Fetch } from './core/ports.ts'
export * from './errors.ts'
export { type ExpressGuard, expressGuard } from './resource-server/adapters/express.ts'
export { type FastifyGuard, fastifyGuard } from './resource-server/adapters/fastify.ts'
export { type HonoGuard, honoGuard } from './resource-server/adapters/hono.ts'
export { type NodeRequest, type NodeResponse, nodeGuard } from './resource-server/adapters/node.ts'
export type { ReplayMemory } from './resource-server/dpop-proof.ts'
export type { IntrospectionOptions } from './resource-server/introspection.ts'
export type { SigningAlgorithm } from './resource-server/jwt.ts'
export type { ProtectOptions, TrustedIssuer } from './resource-server/options.ts'
export { type Protect, requireScope } from './resource-server/protect.ts'
export type { ResourceMetadata } from './resource-server/resource-metadata.ts'
export type {
  AccessTokenClaims,
  Granted,
  RefusalReason,
  Refused,
  Requirements,
  Verdict,
} from './resource-server/verdict.ts'

/**
 * Checks the access tokens of the requests to an API: JWTs (RFC 9068) with the issuer's keys, or any token by introspection
 * (RFC 7662). Supports DPoP (RFC 9449), certificates (RFC 8705), scopes and step-up (RFC 9470).
 * @throws ConfigurationError for a wrong option. Its message names the option, the value and a correct one.
 */
export const protect = (options: ProtectOptions): Protect => createProtect(options, device)
