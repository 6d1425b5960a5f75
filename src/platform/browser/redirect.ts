import type { UserAgent } from '../../core/ports.ts'
import { authorizationEnvironment } from './authorization-environment.ts'
import { redirectBy } from './page.ts'

/**
 * Signs in with a redirect: this page navigates to the authorization server, which sends the user back. The default in
 * browsers. `signIn()` rejects with a ConfigurationError in a worker and on a server.
 */
export const redirect = (): UserAgent => redirectBy(url => authorizationEnvironment.leave(url))
