import { type User, WebStorageStateStore } from 'oidc-client-ts'
import { useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { AuthProvider, useAuth, withAuthenticationRequired } from 'react-oidc-context'
import { createBrowserRouter } from 'react-router'
import { RouterProvider } from 'react-router/dom'

const { issuer, clientId, apiUrl } = await (await fetch('/config.json')).json()
const config = {
  authority: issuer,
  client_id: clientId,
  redirect_uri: `${location.origin}/callback`,
  post_logout_redirect_uri: location.origin,
  scope: 'openid profile offline_access notes:read',
  userStore: new WebStorageStateStore({ store: localStorage }),
}

function Welcome() {
  const auth = useAuth()
  const signIn = () => auth.signinRedirect({ state: { returnTo: '/notes' } })
  return (
    <button type="button" id="sign-in" onClick={signIn}>
      Sign in
    </button>
  )
}

const signinRedirectArgs = { state: { returnTo: '/notes' } }
const Notes = withAuthenticationRequired(
  function Notes() {
    const auth = useAuth()
    const accessToken = auth.user?.access_token
    const [notes, setNotes] = useState<unknown[]>()
    useEffect(() => {
      const load = async () => {
        const headers = { authorization: `Bearer ${accessToken}` }
        setNotes(await (await fetch(apiUrl, { headers })).json())
      }
      void load()
    }, [accessToken])
    return (
      <main>
        <p id="user">{auth.user?.profile.sub}</p>
        <p id="notes">{notes?.length}</p>
        <button type="button" id="sign-out" onClick={() => auth.signoutRedirect()}>
          Sign out
        </button>
      </main>
    )
  },
  { signinRedirectArgs },
)

const router = createBrowserRouter([
  { path: '/', Component: Welcome },
  { path: '/callback', element: null },
  { path: '/notes', Component: Notes },
])
const finish = (user: User | undefined) => {
  const { returnTo = '/notes' } = (user?.state ?? {}) as { returnTo?: string }
  return router.navigate(returnTo, { replace: true })
}

createRoot(document.getElementById('root') as HTMLElement).render(
  <AuthProvider {...config} onSigninCallback={finish}>
    <RouterProvider router={router} />
  </AuthProvider>,
)
