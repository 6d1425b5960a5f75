import type { UserAgent } from '../../core/ports.ts'
import { ConfigurationError } from '../../errors.ts'
import { browserPage } from './page.ts'

/** Signs in by leaving this page for the authorization server, which sends the user back. The default in browsers. */
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
