import type { UserAgent } from '../../core/ports.ts'
import { ConfigurationError } from '../../errors.ts'
import { authorizationEnvironment } from './authorization-environment.ts'
import { isEmbedded } from './frame.ts'
import { browserPage } from './page.ts'

export interface RedirectOptions {
  /**
   * Also redirects a page in a frame of another origin. Most authorization servers refuse to be shown in a frame, so set it
   * only if yours allows the sites that frame your app (`frame-ancestors`). Default false: `signIn()` rejects there.
   */
  allowInFrame?: boolean
}

/**
 * Signs in with a redirect: this page navigates to the authorization server, which sends the user back. The default in
 * browsers. `signIn()` rejects with a ConfigurationError in a worker, on a server and in a frame of another origin.
 */
export const redirect = ({ allowInFrame = false }: RedirectOptions = {}): UserAgent => ({
  name: 'redirect',
  leaves: true,
  begin(redirectUri) {
    const page = browserPage()
    if (!page) {
      throw new ConfigurationError('redirect() needs a page to leave: sign in from a window.')
    }
    if (!allowInFrame && isEmbedded()) {
      throw new ConfigurationError(
        'This page is in a frame of another origin, where most servers show nothing: use popup(). If your server allows it, use redirect({ allowInFrame: true }).',
      )
    }
    return {
      redirectUri: new URL(redirectUri, page.location()).href,
      authorize: url => authorizationEnvironment.leave(url).then(() => undefined),
      close() {},
    }
  },
})
