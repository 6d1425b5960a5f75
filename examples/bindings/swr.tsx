import { SignedIn, useClient } from 'latchkey/react'
import type { ReactNode } from 'react'
import { SWRConfig } from 'swr'

const ownCache = () => new Map()

export function UserCache({ children }: { children: ReactNode }) {
  const client = useClient()
  const fetcher = async (url: string) => (await client.fetch(url)).json()
  return (
    <SignedIn>
      <SWRConfig value={{ provider: ownCache, fetcher }}>{children}</SWRConfig>
    </SignedIn>
  )
}
