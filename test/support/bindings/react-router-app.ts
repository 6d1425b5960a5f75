import { finishSignIn, onUserChange, requireSession } from 'latchkey/react-router'
import { createElement as h } from 'react'
import { createRoot } from 'react-dom/client'
import { createBrowserRouter, Outlet, type RouteObject } from 'react-router'
import { RouterProvider } from 'react-router/dom'
import type { RouterDriver } from '../../contracts/guard.ts'

export const page = (name: string) => h('p', { id: 'page' }, name)

type Guard = ReturnType<typeof requireSession>

/** An app of React Router. @param guarded returns the route of the guarded page. */
export const reactRouterDriver = (
  name: string,
  guarded: (guard: Guard) => RouteObject,
  basename?: string,
): RouterDriver => ({
  name,
  async open(client, root, { signedOutPath, beginSignIn }) {
    const router = createBrowserRouter(
      [
        {
          // React Router knows `Component` and the like only from 6.9 on
          errorElement: page('error'),
          hydrateFallbackElement: page('loading'),
          element: h(Outlet),
          children: [
            { path: '/', element: page('home') },
            { path: '/welcome', element: page('welcome') },
            { path: '/callback', loader: finishSignIn(client, { signedOutPath }) },
            guarded(requireSession(client, { signedOutPath, beginSignIn })),
          ],
        },
      ],
      { basename },
    )
    const stop = onUserChange(client, () => router.revalidate())
    const reactRoot = createRoot(root)
    reactRoot.render(h(RouterProvider, { router }))
    return {
      go: path => router.navigate(path),
      close() {
        stop()
        router.dispose()
        reactRoot.unmount()
      },
    }
  },
})
