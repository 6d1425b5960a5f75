import { createClient } from 'latchkey'
import { defineInspector, type LatchkeyInspector } from 'latchkey/inspector'
import { byTestId, element } from './elements.ts'
import { createNotesPanel } from './notes-panel.ts'
import { createSessionView } from './session-view.ts'

interface Config {
  issuer: string
  clientId: string
  apiUrl: string
}

const response = await fetch('/config.json')
const config: Config = await response.json()

const client = createClient({
  issuer: config.issuer,
  clientId: config.clientId,
  redirectUri: '/callback',
  scope: 'openid profile offline_access notes:read notes:write',
  allowedOrigins: [new URL(config.apiUrl).origin],
  postLogoutRedirectUri: '/',
})

defineInspector()
element<LatchkeyInspector>('#inspector').client = client

const view = createSessionView()
const notes = createNotesPanel(client, config.apiUrl)
client.subscribe(session => {
  view.show(session)
  if (session.status === 'signed-out') notes.reset()
})

const signIn = byTestId<HTMLButtonElement>('sign-in')
const signOut = byTestId<HTMLButtonElement>('sign-out')

/** Runs one action at a time, so that a sign-in cannot overtake a sign-out that is leaving the page. */
const attempt = async (action: () => Promise<unknown>) => {
  signIn.disabled = signOut.disabled = true
  view.hideProblem()
  try {
    await action()
  } catch (error) {
    view.showProblem(error instanceof Error ? error.message : String(error))
  }
  signIn.disabled = signOut.disabled = false
}

signIn.addEventListener('click', () => attempt(() => client.signIn({ returnTo: '/' })))
signOut.addEventListener('click', () => attempt(() => client.signOut()))

await attempt(() => client.start())
view.show(client.session)
