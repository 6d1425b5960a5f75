import { ConfigurationError } from '../errors.ts'
import { type IssuerOptions, type ProviderOptions, type SecretOptions, withSecret } from './common.ts'

export interface EntraOptions extends ProviderOptions, SecretOptions {
  /**
   * The directory's id (a GUID), or the accounts that may sign in: `organizations` (any company), `consumers` (personal
   * accounts) or `common` (both). A domain name does not work, because the issuer in Entra's metadata contains the GUID.
   */
  tenant: string
  /** The cloud's host. Default `login.microsoftonline.com`. */
  host?: string
}

/** The directory of all personal accounts, which is the issuer of their tokens. */
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'
const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/**
 * Microsoft Entra ID. Register the redirect URI of a page as "Single-page application" and that of a script as "Mobile and
 * desktop": for the first kind, Entra accepts token requests only with an `Origin` header, for the second only without. A
 * page's session lasts 24 hours, other sessions 90 days.
 * @param options `scope`: default `openid profile email offline_access`. Request your API's scope by its full name, such as
 * `api://my-api/read`. An access token is for one API, so list other APIs in `resources`, each with its `scope`.
 * @returns options to spread into those of `createClient()`.
 * @throws ConfigurationError for a `tenant` that is neither a GUID nor one of the three names.
 */
export function entra({
  tenant,
  host = 'login.microsoftonline.com',
  clientId,
  clientSecret,
  scope = 'openid profile email offline_access',
  authorizationParameters = {},
}: EntraOptions): IssuerOptions {
  const isShared = tenant === 'common' || tenant === 'organizations'
  const directory = tenant === 'consumers' ? CONSUMERS : tenant
  if (!isShared && !GUID.test(directory)) {
    throw new ConfigurationError(
      `"tenant" must be the directory's id (a GUID), "common", "organizations" or "consumers"; got ${JSON.stringify(tenant)}.`,
    )
  }
  return {
    issuer: `https://${host}/${directory}/v2.0`,
    clientId,
    scope,
    authorizationParameters,
    ...(isShared && { quirks: ['issuer_template'] as const }),
    ...withSecret(clientSecret),
  }
}
