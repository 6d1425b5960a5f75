// A page that follows its session: one button to sign in, one to sign out, and one to call an API. It also shows changes
// from another tab. The page at /callback is this same page.
import { createClient, LatchkeyError, type Session } from 'latchkey'

const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  scope: 'openid profile offline_access',
  allowedOrigins: ['https://api.example.com'],
})

const line = document.createElement('p')
const signIn = button('Sign in', () => client.signIn({ returnTo: '/' }))
const signOut = button('Sign out', () => client.signOut())
const load = button('Who am I?', async () => {
  const response = await client.fetch('https://api.example.com/me')
  line.textContent = response.ok ? await response.text() : `The API answered ${response.status}.`
})
document.body.append(line, signIn, signOut, load)

show(client.session)
client.subscribe(show)
await attempt(() => client.start())

function show(session: Session) {
  line.textContent = describe(session)
  signIn.hidden = session.status !== 'signed-out'
  signOut.hidden = load.hidden = session.status !== 'signed-in'
}

function describe(session: Session): string {
  if (session.status === 'starting') return 'One moment…'
  if (session.status === 'signed-in') return `Signed in as ${session.claims?.name ?? session.claims?.sub}.`
  if (session.status !== 'signed-out') return session.status === 'signing-in' ? 'Signing in…' : 'Signing out…'
  return session.reason ? `Signed out (${session.reason}).` : 'Signed out.'
}

function button(label: string, action: () => Promise<unknown>) {
  const element = document.createElement('button')
  element.textContent = label
  element.addEventListener('click', () => attempt(action))
  return element
}

async function attempt(action: () => Promise<unknown>) {
  try {
    await action()
  } catch (error) {
    // the message of a LatchkeyError says what happened and what to do
    line.textContent = error instanceof LatchkeyError ? error.message : `That did not work: ${error}`
  }
}
