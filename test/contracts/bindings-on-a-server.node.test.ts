import { createClient } from 'latchkey'
import { createElement } from 'react'
import { renderToString as renderReact } from 'react-dom/server'
import { render as renderSvelte } from 'svelte/server'
import { expect, test } from 'vitest'
import { renderToString as renderVue } from 'vue/server-renderer'
import { renderAngular } from '../support/bindings/angular-server-app.ts'
import { ReactApp, reactHtml } from '../support/bindings/react-app.ts'
import { angularHtml, solidHtml, svelteHtml } from '../support/bindings/server-html.ts'
import { renderSolid } from '../support/bindings/solid-server-app.ts'
import SvelteApp from '../support/bindings/svelte-app.svelte'
import { vueApp, vueHtml } from '../support/bindings/vue-app.ts'

const watchedClient = () => {
  const client = createClient({
    issuer: 'https://id.example.com',
    clientId: 'app',
    redirectUri: 'https://app.example.com/callback',
    allowedOrigins: [],
  })
  const used: string[] = []
  const watched = Object.create(client, {
    session: { get: () => client.session },
    ...Object.fromEntries(
      ['start', 'signIn', 'subscribe'].map(name => [name, { value: () => used.push(name) }]),
    ),
  })
  return { client: watched as typeof client, used }
}

test.each<[string, (client: ReturnType<typeof createClient>) => string | Promise<string>, string]>([
  ['React', client => renderReact(createElement(ReactApp, { client })), reactHtml],
  ['Vue', client => renderVue(vueApp(client, true)), vueHtml],
  ['Solid', renderSolid, solidHtml],
  ['Angular', renderAngular, angularHtml],
  [
    'Svelte',
    client => renderSvelte(SvelteApp, { props: { client, isServerRendered: true } }).body,
    svelteHtml,
  ],
])(
  'a server renders a starting session with %s, starts no client and leaves no listener',
  async (_, render, html) => {
    const { client, used } = watchedClient()
    expect(await render(client)).toBe(html)
    expect(used).toEqual([])
  },
)
