import type { ReactNode } from 'react'
import { App } from './session'

export const metadata = { title: 'latchkey skeleton', icons: 'data:,' }

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <App>{children}</App>
      </body>
    </html>
  )
}
