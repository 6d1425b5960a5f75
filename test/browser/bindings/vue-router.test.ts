import { guardRoutes, latchkey } from 'latchkey/vue'
import { createApp, defineComponent, h } from 'vue'
import { createRouter, createWebHistory, RouterView } from 'vue-router'
import { guardContract } from '../../contracts/guard.ts'

const page = (name: string) => defineComponent(() => () => h('p', { id: 'page' }, name))

guardContract({
  name: 'latchkey/vue with Vue Router',
  async open(client, root, guard) {
    const router = createRouter({
      history: createWebHistory(),
      routes: [
        { path: '/', component: page('home') },
        { path: '/welcome', component: page('welcome') },
        { path: '/callback', component: page('callback') },
        { path: '/notes', component: page('notes'), meta: { requiresSession: true } },
      ],
    })
    const stop = guardRoutes(router, client, guard)
    router.onError(() => {})
    const app = createApp({ render: () => h(RouterView) })
      .use(latchkey(client))
      .use(router)
    app.mount(root)
    return {
      go: path => router.push(path).catch(() => {}),
      close() {
        stop()
        app.unmount()
      },
    }
  },
})
