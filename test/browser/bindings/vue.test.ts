import { bindingContract } from '../../contracts/binding.ts'
import { vueApp, vueHtml } from '../../support/bindings/vue-app.ts'

bindingContract({
  name: 'latchkey/vue',
  serverHtml: vueHtml,
  async mount(client, root) {
    const app = vueApp(client)
    app.mount(root)
    return () => app.unmount()
  },
  async hydrate(client, root) {
    const app = vueApp(client, true)
    app.mount(root)
    return () => app.unmount()
  },
})
