import type { Client, SignInOptions } from '../core/client.ts'
import { ConfigurationError } from '../errors.ts'

export interface ThirdPartyLoginOptions extends Pick<SignInOptions, 'userAgent'> {
  /** The `issuer` of the client: a login that names another one is not begun. */
  issuer: string
  /** Whether this page is in a frame, where nobody may be made to sign in. Default: looked up. */
  framed?: boolean
}

/**
 * For the page that the provider, or a portal, sends the user to in order to begin a sign-in here (OpenID Connect Core
 * section 4, `initiate_login_uri`). `login_hint` is passed on, `target_link_uri` becomes `returnTo`.
 * @param address of the page, with `iss`.
 * @returns whether a sign-in was begun: not where the address does not name this issuer.
 * @throws ConfigurationError in a frame, or for a `target_link_uri` that is not on the app's own origin.
 */
export async function thirdPartyLogin(
  client: Pick<Client, 'signIn'>,
  address: string | URL,
  { issuer, userAgent, framed = globalThis.top !== globalThis.self }: ThirdPartyLoginOptions,
): Promise<boolean> {
  const { searchParams } = new URL(address)
  const [iss, hint, target] = ['iss', 'login_hint', 'target_link_uri'].map(name => searchParams.getAll(name))
  if (iss?.join() !== issuer || (hint?.length ?? 0) > 1 || (target?.length ?? 0) > 1) return false
  if (framed) {
    throw new ConfigurationError(
      "A sign-in is not begun in a frame. Let the server of this page send Content-Security-Policy: frame-ancestors 'none'.",
    )
  }
  await client.signIn({
    userAgent,
    returnTo: target?.[0],
    authorizationParameters: hint?.[0] ? { login_hint: hint[0] } : {},
  })
  return true
}
