import { Auth0Client } from '@auth0/auth0-spa-js'
import { openStormPage, scope } from './storm-page.ts'

openStormPage(({ issuer, clientId }) => {
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
    restore: async reloaded => reloaded && client.checkSession(),
    async call(url) {
      const response = await send(url, await client.getTokenSilently())
      if (response.status !== 401) return response
      return send(url, await client.getTokenSilently({ cacheMode: 'off' }))
    },
  }
})
