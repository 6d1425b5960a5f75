import { Auth0Client } from '@auth0/auth0-spa-js'
import { type PageConfig, type Peer, scope } from '../config.ts'

export const auth0SpaJs = ({ issuer, clientId }: PageConfig): Peer => {
  const client = new Auth0Client({
    domain: new URL(issuer).origin,
    clientId,
    authorizationParams: { redirect_uri: `${location.origin}/callback`, scope },
    cacheLocation: 'localstorage',
    useRefreshTokens: true,
  })
  const send = (url: string, accessToken: string | undefined) =>
    fetch(url, { headers: { authorization: `Bearer ${accessToken}` } })
  return {
    signIn: () => client.loginWithRedirect(),
    finishSignIn: () => client.handleRedirectCallback(),
    // what createAuth0Client() does when an app starts
    restore: async isStart => isStart && client.checkSession(),
    async call(url) {
      const response = await send(url, await client.getTokenSilently())
      if (response.status !== 401) return response
      return send(url, await client.getTokenSilently({ cacheMode: 'off' }))
    },
  }
}
