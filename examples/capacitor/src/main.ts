import { App } from '@capacitor/app'
import { Browser } from '@capacitor/browser'
import { appLink, type Client, capacitor, createClient, type Session } from 'latchkey/webview'

interface Config {
  readonly issuer: string
  readonly clientId: string
  readonly apiUrl: string
}

const element = (id: string) => document.getElementById(id) as HTMLElement

function show(session: Session) {
  const isIn = session.status === 'signed-in'
  element('session').textContent = isIn
    ? `signed in as ${session.claims?.name ?? session.claims?.sub}`
    : 'signed out'
  element('sign-in').hidden = isIn
  element('call').hidden = !isIn
  element('sign-out').hidden = !isIn
}

const say = (text: string) => {
  element('answer').textContent = text
}

/** Shows an error. This includes `cancelled`, when the user closes the browser. */
async function attempt(work: () => unknown) {
  say('')
  try {
    await work()
  } catch (error) {
    say(String(error))
  }
}

async function callApi(client: Client, apiUrl: string) {
  const response = await client.fetch(apiUrl)
  say(`${response.status} ${await response.text()}`)
}

async function main() {
  const { issuer, clientId, apiUrl }: Config = await (await fetch('config.json')).json()
  const client = createClient({
    issuer,
    clientId,
    // registered at the server, and the scheme in AndroidManifest.xml and Info.plist
    redirectUri: 'com.example.notes:/callback',
    postLogoutRedirectUri: 'com.example.notes:/signed-out',
    scope: 'openid profile offline_access notes:read',
    allowedOrigins: [new URL(apiUrl).origin],
    userAgent: appLink(capacitor({ App, Browser })),
  })
  client.subscribe(show)
  element('sign-in').onclick = () => attempt(() => client.signIn({ returnTo: location.href }))
  element('call').onclick = () => attempt(() => callApi(client, apiUrl))
  element('sign-out').onclick = () => attempt(() => client.signOut())
  show(await client.start()) // also finishes a sign-in during which the system closed the app
}

await attempt(main)
