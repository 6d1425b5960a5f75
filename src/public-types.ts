/** What the entries `latchkey` and `latchkey/node` have in common. */

export type { StepUp } from './core/challenge.ts'
export type { CallbackResult, Client, MarkedResponse, SignInOptions, SignOutOptions } from './core/client.ts'
export type { ClientEvent, Explanation, WarningTopic } from './core/events.ts'
export type {
  AuthorizationRequest,
  ClientAuthentication,
  Extension,
  ExtensionContext,
  ExtensionHooks,
  Presentation,
} from './core/extension.ts'
export type { Grant, GrantContext, GrantScope } from './core/grant.ts'
export type {
  Channel,
  Clock,
  EpochMs,
  Fetch,
  KeyValue,
  Lock,
  News,
  Reach,
  SignInAttempt,
  Store,
  UserAgent,
} from './core/ports.ts'
export type { Quirk } from './core/quirks.ts'
export type { Session, SessionRecord } from './core/session.ts'
export type { IdTokenClaims } from './core/token-set.ts'
export * from './errors.ts'
export type { ClientOptions, ResourceParameters, ServerMetadata } from './options.ts'
