import type { Grant, GrantContext } from './core/grant.ts'
import * as unattended from './grants/unattended.ts'
import { sha256 } from './platform/digest.ts'
import { memory } from './platform/memory.ts'

export type { Grant, GrantContext } from './core/grant.ts'
export {
  type CibaOptions,
  ciba,
  type DeviceCodeOptions,
  type DeviceCodePrompt,
  deviceCode,
} from './grants/attended.ts'
export type {
  JwtBearerOptions,
  Subject,
  TargetParameters,
  TokenExchangeOptions,
} from './grants/unattended.ts'

const environment = { hash: sha256, memory }

/**
 * Gets a token for the program itself (RFC 6749 section 4.4): set `clientAuthentication` too. When the token expires,
 * latchkey gets the next one, once for all processes that share the store.
 * @param options the API that the token is for, and more parameters. Default: the token that the server issues for `scope`.
 * @throws ConfigurationError for a parameter that is empty, or that latchkey sets itself.
 */
export const clientCredentials = (options: unattended.TargetParameters = {}): Grant =>
  unattended.clientCredentials(environment, options)

/**
 * Exchanges a user's token for one that another API accepts (RFC 8693). latchkey keeps the tokens in memory, or in `store`
 * if the subject token is a text or the option `session` names the user.
 * @param options.subjectToken the token, a function that returns it, or the user's client. With a client, the new tokens end
 * with that user's session.
 * @throws ConfigurationError for a wrong option.
 */
export const tokenExchange = (options: unattended.TokenExchangeOptions): Grant =>
  unattended.tokenExchange(environment, options)

/**
 * Exchanges a signed assertion for a token (RFC 7523 section 2.1), also on behalf of a user at Microsoft Entra. latchkey
 * keeps the tokens in memory, or in `store` if the assertion is a text or the option `session` names the user.
 * @param options.assertion the JWT, or a function that signs one for each request.
 * @throws ConfigurationError for a wrong option.
 */
export const jwtBearer = (options: unattended.JwtBearerOptions): Grant =>
  unattended.jwtBearer(environment, options)

/**
 * Uses any other grant that works without a user (RFC 6749 section 4.5).
 * @param type the `grant_type`.
 * @param parameters the parameters of the token request, or a function that latchkey calls before each request.
 * @throws ConfigurationError for a wrong type or parameter.
 */
export const custom = (
  type: string,
  parameters:
    | Readonly<Record<string, string>>
    | ((
        context: GrantContext,
      ) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>) = {},
): Grant => unattended.custom(environment, type, parameters)
