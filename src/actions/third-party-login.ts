import type { Client, SignInOptions } from '../core/client.ts'
import { ConfigurationError } from '../errors.ts'

export interface ThirdPartyLoginOptions extends Pick<SignInOptions, 'userAgent'> {
  /** The client's `issuer`. latchkey ignores a login that names another one. */
  issuer: string
  /** Whether this page is in a frame, where latchkey refuses to begin a sign-in. Default: `top !== self`. */
  framed?: boolean
}

/**
 * Begins a sign-in that the provider or a portal asks for (OpenID Connect Core section 4). Call it in the page that is
 * registered as `initiate_login_uri`. latchkey passes on `login_hint`, and uses `target_link_uri` as `returnTo`.
 * @param address the page's address, with `iss`.
 * @returns `false` if the address does not name this issuer or repeats a parameter; latchkey then begins no sign-in.
 * @throws ConfigurationError in a frame, or for a `target_link_uri` outside the app's origin; the errors of `signIn()`.
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
