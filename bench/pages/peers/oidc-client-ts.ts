import { UserManager, WebStorageStateStore } from 'oidc-client-ts'
import { type PageConfig, type Peer, scope } from '../config.ts'

export const oidcClientTs = ({ issuer, clientId }: PageConfig): Peer => {
  const manager = new UserManager({
    authority: issuer,
    client_id: clientId,
    redirect_uri: `${location.origin}/callback`,
    scope,
    userStore: new WebStorageStateStore({ store: localStorage }), // shared by tabs
    // on by default; not in the tab that signs in, which is closed at once and would die in mid-renewal
    automaticSilentRenew: location.pathname !== '/callback',
  })
  const send = (url: string, accessToken: string) =>
    fetch(url, { headers: { authorization: `Bearer ${accessToken}` } })
  const renew = async () => {
    const user = await manager.signinSilent()
    if (!user) throw new Error('nobody is signed in')
    return user
  }
  return {
    signIn: () => manager.signinRedirect(),
    finishSignIn: () => manager.signinRedirectCallback(),
    restore: () => manager.getUser(),
    async call(url) {
      const stored = await manager.getUser()
      const isUsable = stored && !stored.expired
      const user = isUsable ? stored : await renew()
      const response = await send(url, user.access_token)
      if (response.status !== 401 || !isUsable) return response
      return send(url, (await renew()).access_token)
    },
  }
}
