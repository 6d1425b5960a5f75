import type { Client } from 'latchkey'
import { createElement as h, StrictMode } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { bindingContract } from '../../contracts/binding.ts'
import { ReactApp, reactHtml } from '../../support/bindings/react-app.ts'

const app = (client: Client) => h(StrictMode, null, h(ReactApp, { client }))

// StrictMode runs every effect twice
bindingContract({
  name: 'latchkey/react',
  serverHtml: reactHtml,
  async mount(client, container) {
    const root = createRoot(container)
    root.render(app(client))
    return () => root.unmount()
  },
  async hydrate(client, container) {
    const root = hydrateRoot(container, app(client))
    return () => root.unmount()
  },
})
