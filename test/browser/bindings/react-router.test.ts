import { createElement as h } from 'react'
import { Outlet } from 'react-router'
import { guardContract } from '../../contracts/guard.ts'
import { page, reactRouterDriver } from '../../support/bindings/react-router-app.ts'

guardContract(
  reactRouterDriver('latchkey/react-router as middleware', guard => ({
    middleware: [guard],
    element: h(Outlet),
    children: [{ path: '/notes', element: page('notes') }],
  })),
)
