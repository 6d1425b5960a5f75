/** What all pages of latchkey have in common. `latchkey` is the entry that the bundle is made for: see `bundleApp()`. */
import type { Client } from 'latchkey'
import { type PageConfig, type Peer, scope } from './config.ts'

export const optionsOf = ({ issuer, clientId, apiOrigins }: PageConfig) => ({
  issuer,
  clientId,
  scope,
  redirectUri: '/callback',
  allowedOrigins: apiOrigins,
})

export const toPeer = (client: Client): Peer => ({
  signIn: () => client.signIn({ returnTo: '/' }),
  finishSignIn: () => client.start(),
  restore: () => client.start(),
  call: url => client.fetch(url),
})
