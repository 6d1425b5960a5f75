import { bindingContract } from '../../contracts/binding.ts'
import { solidHtml } from '../../support/bindings/server-html.ts'
import { hydrateSolid, mountSolid } from '../../support/bindings/solid-app.ts'

bindingContract({
  name: 'latchkey/solid',
  serverHtml: solidHtml,
  mount: async (client, root) => mountSolid(client, root),
  hydrate: async (client, root) => hydrateSolid(client, root),
})
