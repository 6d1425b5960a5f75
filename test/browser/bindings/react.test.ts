import type { Client } from 'latchkey'
import { LatchkeyProvider, RequireSession, SignedOut, useClient, useSession } from 'latchkey/react'
import { createElement as h, type ReactNode, StrictMode } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { bindingContract } from '../../contracts/binding.ts'
import { pageWorlds } from '../../support/bindings/page-world.ts'
import { ReactApp, reactHtml } from '../../support/bindings/react-app.ts'

const app = (client: Client) => h(StrictMode, null, h(ReactApp, { client }))

// StrictMode runs every effect twice
bindingContract({
  name: 'latchkey/react',
  serverHtml: reactHtml,
  async mount(client, container) {
    const root = createRoot(container)
    root.render(app(client))
    return () => root.unmount()
  },
  async hydrate(client, container) {
    const root = hydrateRoot(container, app(client))
    return () => root.unmount()
  },
})

const world = pageWorlds()
let unmount = () => {}
afterEach(() => unmount())

function show(content: ReactNode) {
  unmount()
  const container = document.body.appendChild(document.createElement('main'))
  const root = createRoot(container)
  root.render(h(StrictMode, null, content))
  unmount = () => {
    root.unmount()
    container.remove()
  }
  return { text: () => container.textContent }
}

const User = () => h('p', null, useSession('signed-in').claims?.sub)

describe('RequireSession', () => {
  const guarded = (client: Client) =>
    h(
      LatchkeyProvider,
      { client },
      h(RequireSession, { fallback: 'one moment', signedOut: 'please sign in' }, h(User)),
    )

  test('starts one sign-in for a newly opened page, and shows the page afterwards', async () => {
    const w = world()
    w.show('/notes?x=1#part')
    const { text } = show(guarded(w.client()))
    await expect.poll(() => w.departures.length).toBe(1)
    expect(text()).toBe('one moment')
    unmount()
    w.comeBack()
    const after = show(guarded(w.client()))
    await expect.poll(after.text).toBe('alice')
    expect(location.pathname + location.search + location.hash).toBe('/notes?x=1#part')
    expect(w.departures).toHaveLength(1)
  })

  test('hides a user who signs out in another tab, and starts nothing', async () => {
    const w = world()
    const other = await w.signInElsewhere()
    const { text } = show(guarded(w.client()))
    await expect.poll(text).toBe('alice')
    await other.signOut()
    await expect.poll(text).toBe('please sign in')
    expect(w.departures).toEqual([])
  })

  test('asks a user who has cancelled the sign-in', async () => {
    const w = world()
    w.show('/notes')
    show(guarded(w.client()))
    await expect.poll(() => w.departures.length).toBe(1)
    unmount()
    w.comeBack('access_denied')
    const { text } = show(guarded(w.client()))
    await expect.poll(text).toBe('please sign in')
    expect(w.departures).toHaveLength(1)
  })
})

test('the provider passes the address after a sign-in to navigate, once', async () => {
  const w = world()
  const first = w.client()
  await first.start()
  void first.signIn({ returnTo: '/notes?x=1' })
  await expect.poll(() => w.departures.length).toBe(1)
  w.comeBack()
  const navigate = vi.fn()
  const { text } = show(
    h(LatchkeyProvider, { client: w.client(), navigate, fallback: 'one moment' }, 'the app'),
  )
  expect(text()).not.toBe('the app')
  await expect.poll(text).toBe('the app')
  await expect.poll(() => navigate.mock.calls).toEqual([['/notes?x=1']])
})

test('SignedOut shows its children only to signed-out users', async () => {
  const w = world()
  const { text } = show(h(LatchkeyProvider, { client: w.client() }, h(SignedOut, null, 'signed out')))
  await expect.poll(text).toBe('signed out')
  await w.signInElsewhere()
  await expect.poll(text).toBe('')
})

test('a hook outside its provider, or outside a session, says where it belongs', async () => {
  const failures: string[] = []
  const Catching = ({ use }: { use: () => unknown }) => {
    try {
      use()
    } catch (error) {
      failures.push((error as Error).message)
    }
    return null
  }
  show(h(Catching, { use: () => useClient() }))
  await expect.poll(() => failures[0]).toContain('<LatchkeyProvider client={client}>')
  failures.length = 0
  show(h(LatchkeyProvider, { client: world().client() }, h(Catching, { use: () => useSession('signed-in') })))
  await expect.poll(() => failures[0]).toContain('<SignedIn>')
})
