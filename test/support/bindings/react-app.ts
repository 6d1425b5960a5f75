import type { Client } from 'latchkey'
import { LatchkeyProvider, SignedIn, useSession, useSignInError } from 'latchkey/react'
import { createElement as h } from 'react'

function Status() {
  return h('p', { id: 'status' }, useSession().status)
}

function Trouble() {
  return h('p', { id: 'error' }, useSignInError()?.message ?? '')
}

function Mine() {
  const { claims } = useSession('signed-in')
  return h('section', null, h('p', { id: 'user' }, claims?.sub), h('input', { id: 'draft' }))
}

/** The app of the binding contract. */
export const ReactApp = ({ client }: { client: Client }) =>
  h(LatchkeyProvider, { client }, h(Status), h(Trouble), h(SignedIn, null, h(Mine)))

/** The app's HTML from a server. */
export const reactHtml = '<p id="status">starting</p><p id="error"></p>'
