import { expect, test } from 'vitest'
import { bindingContract } from '../../contracts/binding.ts'
import { hydrateAngular, mountAngular } from '../../support/bindings/angular-app.ts'
import { pageWorlds } from '../../support/bindings/page-world.ts'
import { angularHtml } from '../../support/bindings/server-html.ts'

bindingContract({
  name: 'latchkey/angular',
  serverHtml: angularHtml,
  mount: (client, root) => mountAngular(client, root),
  hydrate: client => hydrateAngular(client),
})
const world = pageWorlds()

test("the first view of a server-rendered app matches the server's", async () => {
  const w = world()
  await w.signInElsewhere()
  const client = w.client()
  await client.start()
  const root = document.body.appendChild(document.createElement('main'))
  const replaced: unknown[] = []
  const watch = new MutationObserver(records => replaced.push(...records.map(({ oldValue }) => oldValue)))
  watch.observe(root, { subtree: true, characterDataOldValue: true })
  const unmount = await mountAngular(client, root, true)
  await expect.poll(() => root.querySelector('#status')?.textContent).toBe('signed-in')
  expect(replaced).toContain('starting')
  unmount()
  root.remove()
})
