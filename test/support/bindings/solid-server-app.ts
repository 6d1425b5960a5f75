import type { Client } from 'latchkey'
import { LatchkeyProvider, useSession, useSignInError, useUserKey } from 'latchkey/solid'
import { createComponent, Show } from 'solid-js'
import { escape as escapeHtml, renderToString, ssr, ssrHydrationKey } from 'solid-js/web'

/** A paragraph as Solid's compiler would output it for a server. */
const paragraph = (id: string, text: string) =>
  ssr(['<p', ` id="${id}">`, '</p>'], ssrHydrationKey(), escapeHtml(text)) as unknown as Element

function Root() {
  const session = useSession()
  const error = useSignInError()
  const user = useUserKey()
  return [
    paragraph('status', session().status),
    paragraph('error', error()?.message ?? ''),
    createComponent(Show, {
      keyed: true,
      get when() {
        return user()
      },
      get children() {
        return paragraph('user', 'nobody is known on a server')
      },
    }),
  ]
}

/** Renders the app of solid-app.ts as a server does. */
export const renderSolid = (client: Client): string =>
  renderToString(() =>
    createComponent(LatchkeyProvider, {
      client,
      get children() {
        return createComponent(Root, {})
      },
    }),
  )
