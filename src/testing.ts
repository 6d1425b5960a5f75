export {
  type CypressCommands,
  type CypressRequest,
  cypressIntercepts,
  type MswHttp,
  mswHandlers,
  type PlaywrightPage,
  type PlaywrightRoute,
  playwrightRoutes,
} from './testing/adapters.ts'
export type {
  AuthorizationServerOptions,
  Endpoint,
  GrantHandler,
  GrantTools,
  TokenRequestEntry,
} from './testing/authorization-server.ts'
export {
  createTestClient,
  type RecordedCall,
  type RecordedMethod,
  type TestClient,
  type TestClientOptions,
} from './testing/client.ts'
export { type HandClock, type HandClockOptions, handClock } from './testing/clock.ts'
export * from './testing/faults.ts'
export {
  type ApiHandler,
  type ApiRequestEntry,
  createTestServer,
  type Faults,
  type TestServer,
  type TestServerOptions,
} from './testing/server.ts'
export { type SigningKey, signingKey } from './testing/signing-key.ts'
export { type Tab, type TabsOptions, tabs } from './testing/tabs.ts'
export type { AccessTokenInfo, User } from './testing/token-families.ts'
