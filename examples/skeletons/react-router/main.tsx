import { createClient } from 'latchkey'
import { LatchkeyProvider, useSession } from 'latchkey/react'
import { finishSignIn, onUserChange, requireSession } from 'latchkey/react-router'
import { createRoot } from 'react-dom/client'
import { createBrowserRouter, useLoaderData, useSearchParams } from 'react-router'
import { RouterProvider } from 'react-router/dom'

const { issuer, clientId, apiUrl } = await (await fetch('/config.json')).json()
const client = createClient({
  issuer,
  clientId,
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  scope: 'openid profile offline_access notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
})

function Welcome() {
  const [query] = useSearchParams()
  const signIn = () => client.signIn({ returnTo: query.get('returnTo') ?? '/notes' })
  return (
    <button type="button" id="sign-in" onClick={signIn}>
      Sign in
    </button>
  )
}

function Notes() {
  const session = useSession()
  const notes = useLoaderData<unknown[]>()
  return (
    <main>
      <p id="user">{session.status === 'signed-in' && session.claims?.sub}</p>
      <p id="notes">{notes.length}</p>
      <button type="button" id="sign-out" onClick={() => client.signOut()}>
        Sign out
      </button>
    </main>
  )
}

const router = createBrowserRouter([
  { path: '/', Component: Welcome },
  { path: '/callback', loader: finishSignIn(client, { signedOutPath: '/', home: '/notes' }) },
  {
    middleware: [requireSession(client, { signedOutPath: '/' })],
    children: [{ path: '/notes', loader: async () => (await client.fetch(apiUrl)).json(), Component: Notes }],
  },
])
onUserChange(client, () => router.revalidate())

createRoot(document.getElementById('root') as HTMLElement).render(
  <LatchkeyProvider client={client}>
    <RouterProvider router={router} />
  </LatchkeyProvider>,
)
