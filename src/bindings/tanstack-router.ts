import type { Client } from '../public-types.ts'
import {
  admit,
  afterSignIn,
  type FinishSignInOptions,
  type GuardOptions,
  withoutBase,
} from './session-gate.ts'

/** The part of TanStack Router's arguments for `beforeLoad` that a guard reads. */
export interface BeforeLoadArguments {
  readonly location: { readonly href: string; readonly publicHref?: string }
  /** Whether the router only preloads the page, for example because the pointer is over a link. */
  readonly preload?: boolean
}

/** The `redirect` of your router package. */
export interface Redirect {
  readonly redirect: (options: { href: string; replace: boolean }) => unknown
}

/** Options of `requireSession`. */
export interface TanStackGuardOptions extends GuardOptions, Redirect {}

/** Works as `beforeLoad`. */
export type BeforeLoad = (args: BeforeLoadArguments) => Promise<void>

const guard = (client: Client, options: GuardOptions, { location, preload }: BeforeLoadArguments) => {
  const { href, publicHref: address = href } = location
  // the part of the address before the router's own path is the base path
  const base = address.endsWith(href) ? address.slice(0, -href.length) : ''
  return admit(client, href, options, { address, toRouter: withoutBase(base) }, preload)
}

/**
 * Guards a route of TanStack Router and everything below it. A preload of a guarded route begins no sign-in, and loads
 * nothing for signed-out users.
 * @param options.redirect the `redirect` of your router package.
 * @returns a function that throws a redirect to `signedOutPath`, or begins a sign-in, unless a user is signed in.
 * @example
 * createRoute({ beforeLoad: requireSession(client, { redirect, signedOutPath: '/welcome' }), ... })
 */
export const requireSession =
  (client: Client, { redirect, ...options }: TanStackGuardOptions): BeforeLoad =>
  async args => {
    const href = await guard(client, options, args)
    if (href !== undefined) throw redirect({ href, replace: true })
  }

/** Options of `finishSignIn`. */
export interface TanStackFinishOptions extends FinishSignInOptions, Redirect {}

/**
 * The `beforeLoad` of the route at your `redirectUri`: it finishes the sign-in and redirects to its `returnTo`.
 * @example
 * createRoute({ path: '/callback', beforeLoad: finishSignIn(client, { redirect, signedOutPath: '/welcome' }), ... })
 */
export const finishSignIn =
  (client: Client, { redirect, signedOutPath, home }: TanStackFinishOptions): BeforeLoad =>
  async args => {
    const instead = await guard(client, { signedOutPath, beginSignIn: false }, args)
    throw redirect({ href: afterSignIn(instead, args.location.href, home), replace: true })
  }
