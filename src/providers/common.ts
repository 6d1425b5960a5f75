import { parseUrl } from '../core/destination.ts'
import type { ClientAuthentication } from '../core/extension.ts'
import { ConfigurationError } from '../errors.ts'
import type { ClientOptions, ServerMetadata } from '../options.ts'

/** The options of every provider. Pass all other options to `createClient()`, next to those that the provider returns. */
export interface ProviderOptions {
  /** This app's `client_id` at the provider. */
  clientId: string
  /** The scopes to request: one string or a list. The default depends on the provider. */
  scope?: string | readonly string[]
  /** More parameters for every authorization request. They override the provider's own parameters of the same name. */
  authorizationParameters?: Readonly<Record<string, string>>
}

/** The options of a provider whose clients may have a secret. */
export interface SecretOptions {
  /** The client secret, if the provider requires one. Leave it out in pages and mobile apps. */
  clientSecret?: string
}

/** The options that a provider's function sets: spread them into the options of `createClient()`. */
export type ProvidedOptions = Pick<
  ClientOptions,
  'clientId' | 'scope' | 'authorizationParameters' | 'clientAuthentication' | 'quirks' | 'provider'
>
/** The options for a provider that publishes its metadata. */
export type IssuerOptions = ProvidedOptions & { issuer: string; server?: undefined }
/** The options for a provider whose metadata is missing or incomplete. */
export type ServerOptions = ProvidedOptions & { server: ServerMetadata; issuer?: undefined }

/**
 * Sends the secret in the form, which all of these providers accept (RFC 6749 section 2.3.1). It does not use oauth4webapi,
 * because then `latchkey/lazy` would load all of it immediately.
 * @throws ConfigurationError for an empty secret.
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
 * Returns the origin of a host name or a URL.
 * @throws ConfigurationError for any other text.
 */
export function originOf(host: string, option: string, example: string): string {
  const text = /^https?:\/\//.test(host) ? host : `https://${host}`
  const url = host ? parseUrl(text) : undefined
  if (url?.pathname === '/' && !url.search && !url.hash && !url.username) return url.origin
  throw new ConfigurationError(
    `"${option}" must be a host such as "${example}"; got ${JSON.stringify(host)?.slice(0, 99)}.`,
  )
}

/** Replaces the commas between the scopes of a token response with spaces, as RFC 6749 section 3.3 requires. */
export const withSpaces = (members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  typeof members.scope === 'string' ? { ...members, scope: members.scope.replaceAll(',', ' ') } : members
