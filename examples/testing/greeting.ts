import type { Client } from 'latchkey'

/** Shows who is signed in, and a button to change that. */
export function greeting(client: Client): HTMLElement {
  const text = document.createElement('p')
  const button = document.createElement('button')
  const show = () => {
    const { session } = client
    const isSignedIn = session.status === 'signed-in'
    text.textContent = isSignedIn ? `Hello ${session.claims?.name}` : 'Nobody is here.'
    button.textContent = isSignedIn ? 'Sign out' : 'Sign in'
  }
  button.onclick = () => (client.session.status === 'signed-in' ? client.signOut() : client.signIn())
  client.subscribe(show)
  show()
  const element = document.createElement('section')
  element.append(text, button)
  return element
}
