// An app in a Capacitor webview: `npm install latchkey @capacitor/app @capacitor/browser`.
import { App } from '@capacitor/app'
import { Browser } from '@capacitor/browser'
import { appLink, capacitor, createClient } from 'latchkey/webview'

export const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-app',
  redirectUri: 'com.example.app://callback', // registered at the server, and in the app's manifest
  scope: 'openid profile offline_access',
  allowedOrigins: ['https://api.example.com'],
  userAgent: appLink(capacitor({ App, Browser })),
})

await client.start() // also finishes a sign-in during which the system closed the app
if (client.session.status === 'signed-out') await client.signIn()
const response = await client.fetch('https://api.example.com/me')
document.body.textContent = await response.text()
