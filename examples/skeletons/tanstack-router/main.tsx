import {
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
  redirect,
} from '@tanstack/react-router'
import { createClient } from 'latchkey'
import { LatchkeyProvider, useSession } from 'latchkey/react'
import { finishSignIn, onUserChange, requireSession } from 'latchkey/tanstack-router'
import { createRoot } from 'react-dom/client'

const { issuer, clientId, apiUrl } = await (await fetch('/config.json')).json()
const client = createClient({
  issuer,
  clientId,
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  scope: 'openid profile offline_access notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
})

const rootRoute = createRootRoute({ component: Outlet })
const getParentRoute = () => rootRoute
const welcomeRoute = createRoute({
  getParentRoute,
  path: '/',
  validateSearch: ({ returnTo }: { returnTo?: string }): { returnTo?: string } => ({ returnTo }),
  component: Welcome,
})
const callbackRoute = createRoute({
  getParentRoute,
  path: '/callback',
  beforeLoad: finishSignIn(client, { redirect, signedOutPath: '/', home: '/notes' }),
})
const notesRoute = createRoute({
  getParentRoute,
  path: '/notes',
  beforeLoad: requireSession(client, { redirect, signedOutPath: '/' }),
  loader: async (): Promise<unknown[]> => (await client.fetch(apiUrl)).json(),
  component: Notes,
})

function Welcome() {
  const { returnTo = '/notes' } = welcomeRoute.useSearch()
  return (
    <button type="button" id="sign-in" onClick={() => client.signIn({ returnTo })}>
      Sign in
    </button>
  )
}

function Notes() {
  const session = useSession()
  return (
    <main>
      <p id="user">{session.status === 'signed-in' && session.claims?.sub}</p>
      <p id="notes">{notesRoute.useLoaderData().length}</p>
      <button type="button" id="sign-out" onClick={() => client.signOut()}>
        Sign out
      </button>
    </main>
  )
}

const router = createRouter({
  routeTree: rootRoute.addChildren([welcomeRoute, callbackRoute, notesRoute]),
  defaultPreload: 'intent',
})
onUserChange(client, () => router.invalidate())

createRoot(document.getElementById('root') as HTMLElement).render(
  <LatchkeyProvider client={client}>
    <RouterProvider router={router} />
  </LatchkeyProvider>,
)
