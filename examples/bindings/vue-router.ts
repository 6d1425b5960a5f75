import { createClient } from 'latchkey'
import { guardRoutes, latchkey, useClient, useSession, useSignInError } from 'latchkey/vue'
import { createApp, defineComponent, h } from 'vue'
import { createRouter, createWebHistory, RouterView, useRoute } from 'vue-router'

const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  scope: 'openid profile offline_access',
  allowedOrigins: ['https://api.example.com'],
})

// in your app, these are .vue files
const Welcome = defineComponent(() => {
  const client = useClient()
  const error = useSignInError()
  const route = useRoute()
  const signIn = () => client.signIn({ returnTo: String(route.query.returnTo ?? '/') })
  return () => [h('p', error.value?.message), h('button', { onClick: signIn }, 'Sign in')]
})
const Notes = defineComponent(() => {
  const client = useClient()
  const session = useSession()
  const name = () => (session.value.status === 'signed-in' ? session.value.claims?.sub : '')
  return () => [h('p', `Hello ${name()}`), h('button', { onClick: () => client.signOut() }, 'Sign out')]
})

const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/callback', component: Notes, meta: { requiresSession: true } }, // shows the page where the sign-in began
    { path: '/welcome', component: Welcome },
    { path: '/', component: Notes, meta: { requiresSession: true } }, // and its children
  ],
})
guardRoutes(router, client, { signedOutPath: '/welcome' })

const app = createApp({ render: () => h(RouterView) })
app.use(latchkey(client)).use(router).mount('#app')
