/** The types that apps need, for all entries with a `createClient`. `extending.ts` has the other types. */

export type { StepUp } from './core/challenge.ts'
export type {
  AccessTokenOptions,
  CallbackResult,
  Client,
  MarkedResponse,
  SignInOptions,
  SignOutOptions,
} from './core/client.ts'
export type { ClientEvent, Explanation, WarningTopic } from './core/events.ts'
export type { Extension } from './core/extension.ts'
export type { Store, UserAgent } from './core/ports.ts'
export type { Quirk } from './core/quirks.ts'
export type { Session } from './core/session.ts'
export type { IdTokenClaims, StandardClaims } from './core/token-set.ts'
export * from './errors.ts'
export type { ClientOptions, ResourceParameters, ServerMetadata } from './options.ts'
