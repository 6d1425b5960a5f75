import {
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
  redirect,
} from '@tanstack/react-router'
import { createClient } from 'latchkey'
import { LatchkeyProvider, useClient, useSignInError } from 'latchkey/react'
import { finishSignIn, onUserChange, requireSession } from 'latchkey/tanstack-router'
import { createRoot } from 'react-dom/client'

const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  scope: 'openid profile offline_access',
  allowedOrigins: ['https://api.example.com'],
})

const rootRoute = createRootRoute({ component: Outlet })
const callbackRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/callback',
  beforeLoad: finishSignIn(client, { redirect, signedOutPath: '/welcome' }),
})
const welcomeRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/welcome',
  validateSearch: ({ returnTo }: { returnTo?: string }) => ({ returnTo: returnTo ?? '/' }),
  component: Welcome,
})
const guardedRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'guarded',
  beforeLoad: requireSession(client, { redirect, signedOutPath: '/welcome' }), // for everything below
  component: Outlet,
})
const notesRoute = createRoute({
  getParentRoute: () => guardedRoute,
  path: '/',
  loader: async (): Promise<string[]> => (await client.fetch('https://api.example.com/notes')).json(),
  component: Notes,
})

function Welcome() {
  const client = useClient()
  const error = useSignInError()
  const { returnTo } = welcomeRoute.useSearch()
  return (
    <main>
      {error && <p>{error.message}</p>}
      <button type="button" onClick={() => client.signIn({ returnTo })}>
        Sign in
      </button>
    </main>
  )
}

function Notes() {
  const client = useClient()
  const notes = notesRoute.useLoaderData()
  return (
    <main>
      <p>{notes.length} notes</p>
      <button type="button" onClick={() => client.signOut()}>
        Sign out
      </button>
    </main>
  )
}

const router = createRouter({
  routeTree: rootRoute.addChildren([callbackRoute, welcomeRoute, guardedRoute.addChildren([notesRoute])]),
  defaultPreload: 'intent',
})
onUserChange(client, () => router.invalidate()) // runs the guards again, which leave the page if the session has ended

const root = document.getElementById('root')
if (root)
  createRoot(root).render(
    <LatchkeyProvider client={client}>
      <RouterProvider router={router} />
    </LatchkeyProvider>,
  )
