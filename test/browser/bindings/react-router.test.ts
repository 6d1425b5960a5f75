import { finishSignIn, onUserChange, requireSession } from 'latchkey/react-router'
import { createElement as h } from 'react'
import { createRoot } from 'react-dom/client'
import { createBrowserRouter, Outlet, type RouteObject } from 'react-router'
import { RouterProvider } from 'react-router/dom'
import { expect, test } from 'vitest'
import { guardContract, type RouterDriver } from '../../contracts/guard.ts'
import { pageWorlds } from '../../support/bindings/page-world.ts'

const page = (name: string) => () => h('p', { id: 'page' }, name)

type Guard = ReturnType<typeof requireSession>

const driver = (name: string, guarded: (guard: Guard) => RouteObject, basename?: string): RouterDriver => ({
  name,
  async open(client, root, { signedOutPath, beginSignIn }) {
    const router = createBrowserRouter(
      [
        {
          ErrorBoundary: page('error'),
          HydrateFallback: page('loading'),
          Component: Outlet,
          children: [
            { path: '/', Component: page('home') },
            { path: '/welcome', Component: page('welcome') },
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

guardContract(
  driver('latchkey/react-router as middleware', guard => ({
    middleware: [guard],
    Component: Outlet,
    children: [{ path: '/notes', Component: page('notes') }],
  })),
)

guardContract(
  driver('latchkey/react-router as loader', guard => ({
    path: '/notes',
    loader: guard,
    Component: page('notes'),
  })),
)

const world = pageWorlds()

test('with a basename, the callback opens the guarded page once', async () => {
  const w = world()
  const root = document.body.appendChild(document.createElement('main'))
  const { open } = driver(
    'basename',
    guard => ({ path: '/notes', loader: guard, Component: page('notes') }),
    '/app',
  )
  const redirectUri = new URL('/app/callback', location.href).href
  const first = w.client({ redirectUri })
  w.show('/app/notes?x=1#part')
  const app = await open(first, root, { signedOutPath: '/welcome' })
  await expect.poll(() => w.departures.length).toBe(1)
  app.close()
  const callback = new URL(w.as.approve(w.departures[0] ?? ''))
  w.show(`/app/callback${callback.search}`)
  const next = await open(w.client({ redirectUri }), root, { signedOutPath: '/welcome' })
  await expect.poll(() => root.querySelector('#page')?.textContent).toBe('notes')
  expect(location.pathname + location.search + location.hash).toBe('/app/notes?x=1#part')
  next.close()
  root.remove()
})
