import type { RouteGuard } from 'latchkey/react-router'
import { expect, test } from 'vitest'
import { guardContract } from '../../contracts/guard.ts'
import { pageWorlds } from '../../support/bindings/page-world.ts'
import { page, reactRouterDriver } from '../../support/bindings/react-router-app.ts'

const notes = (guard: RouteGuard) => ({ path: '/notes', loader: guard, element: page('notes') })

guardContract(reactRouterDriver('latchkey/react-router as loader', notes))

const world = pageWorlds()

test('with a basename, the callback opens the guarded page once', async () => {
  const w = world()
  const root = document.body.appendChild(document.createElement('main'))
  const { open } = reactRouterDriver('basename', notes, '/app')
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
