import {
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
  redirect,
} from '@tanstack/react-router'
import { finishSignIn, onUserChange, requireSession } from 'latchkey/tanstack-router'
import { createElement as h } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, test } from 'vitest'
import { guardContract, type RouterDriver } from '../../contracts/guard.ts'
import { pageWorlds } from '../../support/bindings/page-world.ts'

const page = (name: string) => () => h('p', { id: 'page' }, name)
let loads = 0

function createApp(...[client, root, guard]: Parameters<RouterDriver['open']>) {
  const parent = createRootRoute({ component: Outlet, errorComponent: page('error') })
  const getParentRoute = () => parent
  const { signedOutPath } = guard
  const routes = [
    createRoute({ getParentRoute, path: '/', component: page('home') }),
    createRoute({ getParentRoute, path: '/welcome', component: page('welcome') }),
    createRoute({
      getParentRoute,
      path: '/callback',
      beforeLoad: finishSignIn(client, { redirect, signedOutPath }),
    }),
    createRoute({
      getParentRoute,
      path: '/notes',
      beforeLoad: requireSession(client, { redirect, ...guard }),
      loader: () => {
        loads++
      },
      component: page('notes'),
    }),
  ]
  const router = createRouter({ routeTree: parent.addChildren(routes) })
  const stop = onUserChange(client, () => router.invalidate())
  const reactRoot = createRoot(root)
  reactRoot.render(h(RouterProvider, { router }))
  return {
    router,
    go: (path: string) => router.navigate({ href: path }),
    close() {
      stop()
      reactRoot.unmount()
      router.history.destroy()
    },
  }
}

guardContract({ name: 'latchkey/tanstack-router', open: async (...how) => createApp(...how) })

const world = pageWorlds()

test('preloading a guarded page starts no sign-in, loads nothing and navigates nowhere', async () => {
  const w = world()
  const root = document.body.appendChild(document.createElement('main'))
  w.show('/')
  const { router, close } = createApp(w.client(), root, { signedOutPath: '/welcome' })
  await expect.poll(() => root.querySelector('#page')?.textContent).toBe('home')
  loads = 0
  await router.preloadRoute({ to: '/notes' as string })
  expect([loads, w.departures.length, location.pathname]).toEqual([0, 0, '/'])
  void router.navigate({ href: '/notes' }) // the page leaves before the target is shown
  await expect.poll(() => w.departures.length).toBe(1)
  close()
  root.remove()
})
