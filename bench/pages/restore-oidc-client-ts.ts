import { UserManager, WebStorageStateStore } from 'oidc-client-ts'
import { session } from '../support/stored-session.ts'
import { apiUrl, finished } from './restore-page.ts'

const manager = new UserManager({
  authority: session.issuer,
  client_id: session.clientId,
  redirect_uri: `${location.origin}/callback`,
  userStore: new WebStorageStateStore({ store: localStorage }),
})
const user = await manager.getUser()
await finished(await fetch(apiUrl, { headers: { authorization: `Bearer ${user?.access_token}` } }))
