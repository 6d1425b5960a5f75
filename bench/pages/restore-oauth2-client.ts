import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client'
import { session } from '../support/stored-session.ts'
import { apiUrl, finished } from './restore-page.ts'

const wrapper = new OAuth2Fetch({
  client: new OAuth2Client({ server: session.issuer, clientId: session.clientId }),
  getNewToken: () => null,
  getStoredToken: () => JSON.parse(localStorage.getItem('tokens') ?? 'null'),
  storeToken: token => localStorage.setItem('tokens', JSON.stringify(token)),
})
await finished(await wrapper.fetch(apiUrl))
