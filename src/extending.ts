/** Types for your own store, lock, user agent, grant or extension (docs/extending.md). */

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
  Logger,
  News,
  Reach,
  SignInAttempt,
  Store,
  UserAgent,
} from './core/ports.ts'
export type { SessionRecord } from './core/session.ts'
