import type { Client } from 'latchkey'
import { LatchkeyProvider, useSession, useSignInError, useUserKey } from 'latchkey/solid'
import { createComponent, type JSX, Show } from 'solid-js'
import { getNextElement, hydrate, insert, render, template } from 'solid-js/web'

// written as Solid's compiler would output it from JSX
const statusTemplate = template('<p id=status>')
const errorTemplate = template('<p id=error>')
const mineTemplate = template('<section><p id=user></p><input id=draft>')

const element = (from: typeof statusTemplate, content: () => unknown): JSX.Element => {
  const made = getNextElement(from) as HTMLElement
  insert(made, content)
  return made
}

function Mine(): JSX.Element {
  const session = useSession()
  const made = getNextElement(mineTemplate) as HTMLElement
  insert(made.firstChild as Element, () => {
    const now = session()
    return now.status === 'signed-in' ? now.claims?.sub : ''
  })
  return made
}

function Root(): JSX.Element {
  const session = useSession()
  const error = useSignInError()
  const user = useUserKey()
  return [
    element(statusTemplate, () => session().status),
    element(errorTemplate, () => error()?.message ?? ''),
    createComponent(Show, {
      keyed: true,
      get when() {
        return user()
      },
      get children() {
        return createComponent(Mine, {})
      },
    }),
  ]
}

const app = (client: Client) => () =>
  createComponent(LatchkeyProvider, {
    client,
    get children() {
      return createComponent(Root, {})
    },
  })

/** The app of the binding contract. @returns a function that unmounts it. */
export const mountSolid = (client: Client, root: HTMLElement) => render(app(client), root)
export function hydrateSolid(client: Client, root: HTMLElement) {
  // the script of `generateHydrationScript()`, which a page has in its head
  Object.assign(globalThis, { _$HY: { events: [], completed: new WeakSet(), r: {}, fe() {} } })
  return hydrate(app(client), root)
}
