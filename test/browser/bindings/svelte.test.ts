import { sessionStore } from 'latchkey/svelte'
import { hydrate, mount, unmount } from 'svelte'
import { get } from 'svelte/store'
import { expect, test } from 'vitest'
import { bindingContract } from '../../contracts/binding.ts'
import { pageWorlds } from '../../support/bindings/page-world.ts'
import { svelteHtml } from '../../support/bindings/server-html.ts'
import App from '../../support/bindings/svelte-app.svelte'

bindingContract({
  name: 'latchkey/svelte',
  serverHtml: svelteHtml,
  async mount(client, target) {
    const app = mount(App, { target, props: { client } })
    return () => void unmount(app)
  },
  async hydrate(client, target) {
    const app = hydrate(App, { target, props: { client, isServerRendered: true } })
    return () => void unmount(app)
  },
})

const world = pageWorlds()

test('a store adapter emits each session once and stops with its last subscriber', async () => {
  const w = world()
  const client = w.client()
  const told: string[] = []
  const stop = sessionStore(client).subscribe(({ status }) => told.push(status))
  await expect.poll(() => told).toEqual(['starting', 'signed-out'])
  await w.signInElsewhere()
  await expect.poll(() => told).toEqual(['starting', 'signed-out', 'signed-in'])
  expect(get(sessionStore(client)).status).toBe('signed-in')
  stop()
  expect(client.counts.listeners).toBe(0)
})
