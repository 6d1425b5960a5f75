'use client'

import { createClient } from 'latchkey'
import { LatchkeyProvider, RequireSession } from 'latchkey/react'
import { useRouter } from 'next/navigation'
import type { ReactNode } from 'react'

export const apiUrl = process.env.NEXT_PUBLIC_API_URL ?? ''

export const client = createClient({
  issuer: process.env.NEXT_PUBLIC_ISSUER ?? '',
  clientId: process.env.NEXT_PUBLIC_CLIENT_ID ?? '',
  redirectUri: '/callback',
  postLogoutRedirectUri: '/',
  scope: 'openid profile offline_access notes:read',
  allowedOrigins: [new URL(apiUrl).origin],
})

export function App({ children }: { children: ReactNode }) {
  const { replace } = useRouter()
  return (
    <LatchkeyProvider client={client} navigate={replace}>
      {children}
    </LatchkeyProvider>
  )
}

export function Welcome({ returnTo }: { returnTo: string }) {
  return (
    <button type="button" id="sign-in" onClick={() => client.signIn({ returnTo })}>
      Sign in
    </button>
  )
}

export function Guarded({ path, children }: { path: string; children?: ReactNode }) {
  return <RequireSession signedOut={<Welcome returnTo={path} />}>{children}</RequireSession>
}
