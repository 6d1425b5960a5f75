import { createClient } from 'latchkey'
import { guardRoutes, latchkey, useSession, useUserKey } from 'latchkey/vue'
import { createApp, defineComponent, h, onMounted, ref } from 'vue'
import { createRouter, createWebHistory, RouterView, useRoute } from 'vue-router'

const { issuer, clientId, apiUrl } = await (await fetch('/config.json')).json()
const client = createClient({
  issuer,
  clientId,
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  scope: 'openid profile offline_access notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
})

const Welcome = defineComponent(() => {
  const route = useRoute()
  const signIn = () => client.signIn({ returnTo: String(route.query.returnTo ?? '/notes') })
  return () => h('button', { id: 'sign-in', onClick: signIn }, 'Sign in')
})

const Notes = defineComponent(() => {
  const session = useSession()
  const notes = ref<unknown[]>()
  onMounted(async () => {
    notes.value = await (await client.fetch(apiUrl)).json()
  })
  const user = () => session.value.status === 'signed-in' && session.value.claims?.sub
  return () => [
    h('p', { id: 'user' }, user() || ''),
    h('p', { id: 'notes' }, notes.value?.length),
    h('button', { id: 'sign-out', onClick: () => client.signOut() }, 'Sign out'),
  ]
})

const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', component: Welcome },
    { path: '/callback', component: Notes, meta: { requiresSession: true } },
    { path: '/notes', component: Notes, meta: { requiresSession: true } },
  ],
})
guardRoutes(router, client, { signedOutPath: '/' })

const Root = defineComponent(() => {
  const user = useUserKey()
  return () => h(RouterView, { key: user.value })
})
createApp(Root).use(latchkey(client)).use(router).mount('#root')
