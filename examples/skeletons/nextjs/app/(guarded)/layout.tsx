'use client'

import { RequireSession } from 'latchkey/react'
import type { ReactNode } from 'react'
import { Welcome } from '../welcome'

export default function Guarded({ children }: { children: ReactNode }) {
  return <RequireSession signedOut={<Welcome />}>{children}</RequireSession>
}
