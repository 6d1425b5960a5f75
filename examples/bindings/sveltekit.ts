// src/routes/(app)/+layout.ts: guards every page in the group (app)
import { createClient } from 'latchkey'
import { onUserChange, requireSession } from 'latchkey/svelte'

// from '@sveltejs/kit' and '$app/navigation'
declare const redirect: (status: 302, location: string) => never
declare const invalidateAll: () => Promise<void>

// in your app, src/lib/client.ts
export const client = createClient({
  issuer: 'https://id.example.com',
  clientId: 'my-spa',
  redirectUri: '/callback',
  scope: 'openid profile offline_access',
  allowedOrigins: ['https://api.example.com'],
})

export const ssr = false // a server does not know who is signed in
export const load = requireSession(client, { redirect, signedOutPath: '/welcome' })

onUserChange(client, () => invalidateAll()) // runs the guards again, which leave the page if the session has ended
