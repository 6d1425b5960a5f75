import { createClient } from 'latchkey'
import { LatchkeyProvider, RequireSession, useClient, useSession, useSignInError } from 'latchkey/react'
import { createRoot } from 'react-dom/client'

const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  scope: 'openid profile offline_access',
  allowedOrigins: ['https://api.example.com'],
})

function Welcome() {
  const client = useClient()
  const error = useSignInError()
  return (
    <main>
      {error && <p>{error.message}</p>}
      <button type="button" onClick={() => client.signIn({ returnTo: location.href })}>
        Sign in
      </button>
    </main>
  )
}

function Notes() {
  const client = useClient()
  const { claims } = useSession('signed-in')
  return (
    <main>
      <p>Hello {claims?.sub}</p>
      <button type="button" onClick={() => client.signOut()}>
        Sign out
      </button>
    </main>
  )
}

export function App() {
  return (
    <LatchkeyProvider client={client}>
      <RequireSession fallback={<p>One moment…</p>} signedOut={<Welcome />}>
        <Notes />
      </RequireSession>
    </LatchkeyProvider>
  )
}

const root = document.getElementById('root')
if (root) createRoot(root).render(<App />)
