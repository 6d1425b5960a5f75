import { createClient } from 'latchkey'

const { issuer, clientId, apiUrl } = await (await fetch('/config.json')).json()
const client = createClient({
  issuer,
  clientId,
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  scope: 'openid profile offline_access notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
})

export { apiUrl, client }
