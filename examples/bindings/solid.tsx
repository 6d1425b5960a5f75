/** @jsxImportSource solid-js */
import { createClient } from 'latchkey'
import { LatchkeyProvider, useClient, useSession, useUserKey } from 'latchkey/solid'
import { Show } from 'solid-js'
import { render } from 'solid-js/web'

const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  scope: 'openid profile offline_access',
  allowedOrigins: ['https://api.example.com'],
})

function Notes() {
  const client = useClient()
  return (
    <button type="button" onClick={() => client.signOut()}>
      Sign out
    </button>
  )
}

function App() {
  const client = useClient()
  const session = useSession()
  const user = useUserKey()
  return (
    <Show when={session().status !== 'starting'} fallback={<p>One moment…</p>}>
      <Show
        keyed
        when={user()}
        fallback={
          <button type="button" onClick={() => client.signIn({ returnTo: location.href })}>
            Sign in
          </button>
        }
      >
        <Notes />
      </Show>
    </Show>
  )
}

const root = document.getElementById('root')
if (root)
  render(
    () => (
      <LatchkeyProvider client={client}>
        <App />
      </LatchkeyProvider>
    ),
    root,
  )
