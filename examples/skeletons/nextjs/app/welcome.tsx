'use client'

import { client } from './session'

export function Welcome() {
  return (
    <button type="button" id="sign-in" onClick={() => client.signIn({ returnTo: '/notes' })}>
      Sign in
    </button>
  )
}
