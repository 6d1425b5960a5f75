import { oidcSpa } from 'oidc-spa/react-spa'
import { createRoot } from 'react-dom/client'
import { createBrowserRouter, useLoaderData } from 'react-router'
import { RouterProvider } from 'react-router/dom'

const { issuer, clientId, apiUrl } = await (await fetch('/config.json')).json()
const oidc = oidcSpa.createUtils()
oidc.bootstrapOidc({
  implementation: 'real',
  issuerUri: issuer,
  clientId,
  scopes: ['profile', 'offline_access', 'notes:read'],
})

function Welcome() {
  const { login } = oidc.useOidc({ assert: 'user not logged in' })
  return (
    <button type="button" id="sign-in" onClick={() => login({ redirectUrl: '/notes' })}>
      Sign in
    </button>
  )
}

async function loadNotes() {
  const { getAccessToken } = await oidc.getOidc({ assert: 'user logged in' })
  const headers = { authorization: `Bearer ${await getAccessToken()}` }
  return (await fetch(apiUrl, { headers })).json()
}

function Notes() {
  const { decodedIdToken, logout } = oidc.useOidc({ assert: 'user logged in' })
  const notes = useLoaderData<unknown[]>()
  return (
    <main>
      <p id="user">{String(decodedIdToken.sub)}</p>
      <p id="notes">{notes.length}</p>
      <button type="button" id="sign-out" onClick={() => logout({ redirectTo: 'home' })}>
        Sign out
      </button>
    </main>
  )
}

const router = createBrowserRouter([
  { path: '/', Component: Welcome },
  {
    path: '/notes',
    loader: async ({ request }) => {
      await oidc.enforceLogin({ request })
      return loadNotes()
    },
    Component: Notes,
  },
])

createRoot(document.getElementById('root') as HTMLElement).render(
  <oidc.OidcInitializationGate>
    <RouterProvider router={router} />
  </oidc.OidcInitializationGate>,
)
