import type { Client } from 'latchkey'
import { latchkey, useSession, useSignInError, useUserKey } from 'latchkey/vue'
import { type App, createApp, createSSRApp, defineComponent, h } from 'vue'

const Mine = defineComponent({
  setup() {
    const session = useSession()
    return () => {
      const claims = session.value.status === 'signed-in' ? session.value.claims : undefined
      return h('section', [h('p', { id: 'user' }, claims?.sub), h('input', { id: 'draft' })])
    }
  },
})

const Root = defineComponent({
  setup() {
    const session = useSession()
    const user = useUserKey()
    const error = useSignInError()
    return () => [
      h('p', { id: 'status' }, session.value.status),
      h('p', { id: 'error' }, error.value?.message ?? ''),
      user.value === undefined ? undefined : h(Mine, { key: user.value }),
    ]
  },
})

/** The app of the binding contract. */
export const vueApp = (client: Client, isServerRendered = false): App =>
  (isServerRendered ? createSSRApp : createApp)(Root).use(latchkey(client))

/** The app's HTML from a server. */
export const vueHtml = '<!--[--><p id="status">starting</p><p id="error"></p><!----><!--]-->'
