import type { UserAgent } from '../../core/ports.ts'
import { ConfigurationError } from '../../errors.ts'
import { browserPage } from './page.ts'

/**
 * Signs in with a redirect: this page navigates to the authorization server, which sends the user back. The default in
 * browsers. `signIn()` rejects with a ConfigurationError in a worker and on a server.
 */
export const redirect = (): UserAgent => ({
  name: 'redirect',
  leaves: true,
  begin(redirectUri) {
    const page = browserPage()
    if (!page) {
      throw new ConfigurationError(
        'redirect() needs a page to leave; sign in from a window, not from a worker or server.',
      )
    }
    return {
      redirectUri: new URL(redirectUri, page.location()).href,
      authorize: url => page.leave(url).then(() => undefined),
      close() {},
    }
  },
})
