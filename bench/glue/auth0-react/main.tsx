import { Auth0Provider, useAuth0, withAuthenticationRequired } from '@auth0/auth0-react'
import { useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { createBrowserRouter } from 'react-router'
import { RouterProvider } from 'react-router/dom'

const { issuer, clientId, apiUrl } = await (await fetch('/config.json')).json()
const config = {
  domain: issuer,
  clientId,
  cacheLocation: 'localstorage',
  useRefreshTokens: true,
  authorizationParams: {
    redirect_uri: `${location.origin}/callback`,
    scope: 'openid profile offline_access notes:read',
  },
} as const

function Welcome() {
  const { loginWithRedirect } = useAuth0()
  const signIn = () => loginWithRedirect({ appState: { returnTo: '/notes' } })
  return (
    <button type="button" id="sign-in" onClick={signIn}>
      Sign in
    </button>
  )
}

const Notes = withAuthenticationRequired(function Notes() {
  const { user, logout, getAccessTokenSilently } = useAuth0()
  const [notes, setNotes] = useState<unknown[]>()
  useEffect(() => {
    const load = async () => {
      const accessToken = await getAccessTokenSilently()
      const headers = { authorization: `Bearer ${accessToken}` }
      setNotes(await (await fetch(apiUrl, { headers })).json())
    }
    void load()
  }, [getAccessTokenSilently])
  const signOut = () => logout({ logoutParams: { returnTo: location.origin } })
  return (
    <main>
      <p id="user">{user?.sub}</p>
      <p id="notes">{notes?.length}</p>
      <button type="button" id="sign-out" onClick={signOut}>
        Sign out
      </button>
    </main>
  )
})

const router = createBrowserRouter([
  { path: '/', Component: Welcome },
  { path: '/callback', element: null },
  { path: '/notes', Component: Notes },
])

createRoot(document.getElementById('root') as HTMLElement).render(
  <Auth0Provider {...config} onRedirectCallback={state => router.navigate(state?.returnTo ?? '/notes')}>
    <RouterProvider router={router} />
  </Auth0Provider>,
)
