'use client'

import { createClient } from 'latchkey'
import { LatchkeyProvider } from 'latchkey/react'
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
