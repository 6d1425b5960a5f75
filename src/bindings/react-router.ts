import type { Client } from '../public-types.ts'
import {
  addressOfPage,
  admit,
  afterSignIn,
  type FinishSignInOptions,
  type GuardOptions,
  withinOrigin,
} from './session-gate.ts'

/** The part of React Router's arguments for middleware and loaders that a guard reads. */
export interface RequestArguments {
  readonly request: Request
}

/** Works as route middleware, as `loader` and as `clientLoader`. */
export type RouteGuard = (args: RequestArguments) => Promise<null>

/** The response with which React Router redirects. It accepts an absolute URL at the page's origin. */
const redirectTo = (address: string) => new Response(null, { status: 302, headers: { Location: address } })

async function guard(
  client: Client,
  options: GuardOptions,
  { request }: RequestArguments,
): Promise<string | undefined> {
  const url = new URL(request.url)
  const shown = new URL(addressOfPage() ?? url)
  // a request has no fragment
  if (!url.hash && shown.pathname + shown.search === url.pathname + url.search) url.hash = shown.hash
  const path = withinOrigin(url)
  const base = { address: path, toRouter: (address: string) => new URL(address, url).href }
  return admit(client, path, options, base)
}

/**
 * Guards routes of React Router's data and framework modes: only a signed-in user sees them and everything below them.
 * Use it as middleware of a layout route or, if the router has no middleware, as a `loader`.
 * @returns a function that throws a redirect to `signedOutPath` for everyone else, or begins a sign-in, see `GuardOptions`.
 * @example
 * { middleware: [requireSession(client, { signedOutPath: '/welcome' })], Component: Layout, children: [...] }
 */
export const requireSession =
  (client: Client, options: GuardOptions): RouteGuard =>
  async args => {
    const instead = await guard(client, options, args)
    if (instead !== undefined) throw redirectTo(instead)
    return null
  }

/**
 * The `loader` of the route at your `redirectUri`: it finishes the sign-in and redirects to its `returnTo`.
 * @example
 * { path: '/callback', loader: finishSignIn(client, { signedOutPath: '/welcome' }) }
 */
export const finishSignIn =
  (client: Client, { signedOutPath, home }: FinishSignInOptions): RouteGuard =>
  async args => {
    const instead = await guard(client, { signedOutPath, beginSignIn: false }, args)
    throw redirectTo(afterSignIn(instead, args.request.url, home))
  }
