import type { ClientAuthentication } from '../core/extension.ts'
import { ConfigurationError } from '../errors.ts'
import type { ClientOptions, ServerMetadata } from '../options.ts'

/** What every provider takes. All other options of `createClient()` stand beside what the provider's function returns. */
export interface ProviderOptions {
  /** This app's `client_id` at the provider. */
  clientId: string
  /** The scopes to ask for: one string or a list. The default is the provider's. */
  scope?: string | readonly string[]
  /** More parameters for every authorization request. They join the provider's own, and win where both set one. */
  authorizationParameters?: Readonly<Record<string, string>>
}

/** A provider whose clients may have a secret. */
export interface SecretOptions {
  /** The client secret, where the provider insists on one. Leave it out in pages and mobile apps. */
  clientSecret?: string
}

/** The options that a provider's function sets: spread them into the options of `createClient()`. */
export type ProvidedOptions = Pick<
  ClientOptions,
  'clientId' | 'scope' | 'authorizationParameters' | 'clientAuthentication' | 'quirks' | 'provider'
>
/** For a provider that publishes its metadata. */
export type IssuerOptions = ProvidedOptions & { issuer: string; server?: undefined }
/** For a provider that publishes none, or less than it has. */
export type ServerOptions = ProvidedOptions & { server: ServerMetadata; issuer?: undefined }

/**
 * The secret in the form, which all of these providers accept (RFC 6749 section 2.3.1). Not by oauth4webapi, of which
 * `latchkey/lazy` would then load all at once.
 * @throws ConfigurationError for a secret that is empty.
 */
export function withSecret(secret: string | undefined): { clientAuthentication?: ClientAuthentication } {
  if (secret === undefined) return {}
  if (typeof secret !== 'string' || !secret)
    throw new ConfigurationError(
      '"clientSecret" must be a text that is not empty; leave it out for a public client.',
    )
  return {
    clientAuthentication: {
      method: 'client_secret_post',
      isShared: true,
      authenticate(_server, client, form) {
        form.set('client_id', client.client_id)
        form.set('client_secret', secret)
      },
      secrets: () => [secret, encodeURIComponent(secret)],
    },
  }
}

/**
 * The origin that a host name or a URL names.
 * @throws ConfigurationError for what is neither.
 */
export function originOf(host: string, option: string, example: string): string {
  const text = /^https?:\/\//.test(host) ? host : `https://${host}`
  const url = host && URL.canParse(text) ? new URL(text) : undefined
  if (url?.pathname === '/' && !url.search && !url.hash && !url.username) return url.origin
  throw new ConfigurationError(
    `"${option}" must be a host such as "${example}"; got ${JSON.stringify(host)?.slice(0, 99)}.`,
  )
}

/** A token response whose scopes are separated by commas (RFC 6749 section 3.3 asks for spaces). */
export const withSpaces = (members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  typeof members.scope === 'string' ? { ...members, scope: members.scope.replaceAll(',', ' ') } : members
