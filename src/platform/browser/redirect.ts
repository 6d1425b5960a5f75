import type { UserAgent } from '../../core/ports.ts'
import { authorizationEnvironment } from './authorization-environment.ts'
import { type RedirectOptions, redirectBy } from './page.ts'

/**
 * Signs in with a redirect: this page navigates to the authorization server, which sends the user back. The default in
 * browsers. `signIn()` rejects with a ConfigurationError in a worker, on a server and in a frame of another origin.
 */
export const redirect = (options?: RedirectOptions): UserAgent =>
  redirectBy(url => authorizationEnvironment.leave(url), options)
