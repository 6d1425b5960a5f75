import { createClient } from 'latchkey'
import { LatchkeyProvider, useClient, useSession, useSignInError } from 'latchkey/react'
import { finishSignIn, onUserChange, requireSession } from 'latchkey/react-router'
import { createRoot } from 'react-dom/client'
import { createBrowserRouter, useLoaderData, useSearchParams } from 'react-router'
import { RouterProvider } from 'react-router/dom'

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
  const [query] = useSearchParams()
  return (
    <main>
      {error && <p>{error.message}</p>}
      <button type="button" onClick={() => client.signIn({ returnTo: query.get('returnTo') ?? '/' })}>
        Sign in
      </button>
    </main>
  )
}

function Notes() {
  const client = useClient()
  const session = useSession()
  const notes = useLoaderData<string[]>()
  return (
    <main>
      <p>
        {session.status === 'signed-in' && session.claims?.sub} has {notes.length} notes
      </p>
      <button type="button" onClick={() => client.signOut()}>
        Sign out
      </button>
    </main>
  )
}

const signedOutPath = '/welcome'
const router = createBrowserRouter([
  { path: '/callback', loader: finishSignIn(client, { signedOutPath }) },
  { path: signedOutPath, Component: Welcome },
  {
    middleware: [requireSession(client, { signedOutPath })], // for everything below
    children: [
      {
        path: '/',
        loader: async () => (await client.fetch('https://api.example.com/notes')).json(),
        Component: Notes,
      },
    ],
  },
])
onUserChange(client, () => router.revalidate()) // runs the guards again, which leave the page if the session has ended

const root = document.getElementById('root')
if (root)
  createRoot(root).render(
    <LatchkeyProvider client={client}>
      <RouterProvider router={router} />
    </LatchkeyProvider>,
  )
