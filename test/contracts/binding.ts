import type { Client } from 'latchkey'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { pageWorlds } from '../support/bindings/page-world.ts'

/**
 * An app of one framework, mounted with a client. It shows `#status`, the session's status; `#error`, the message of the
 * failed sign-in; and for the signed-in user, keyed by the user, `#user` with the claim `sub` and an input `#draft`.
 */
export interface BindingDriver {
  readonly name: string
  /** The HTML that a server renders for the app, without the framework's markers. */
  readonly serverHtml?: string
  /** @returns a function that unmounts the app. */
  mount(client: Client, root: HTMLElement): Promise<() => void>
  /** Like `mount`, over `serverHtml` in `root`. */
  hydrate?(client: Client, root: HTMLElement): Promise<() => void>
}

/** The behaviour of every binding in a real page. */
export function bindingContract({ name, serverHtml, mount, hydrate }: BindingDriver): void {
  const world = pageWorlds()
  let root: HTMLElement
  let unmounts: (() => void)[] = []
  beforeEach(() => {
    root = document.createElement('main')
    document.body.append(root)
  })
  afterEach(() => {
    for (const unmount of unmounts) unmount()
    unmounts = []
    root.remove()
  })

  const show = (selector: string) => root.querySelector(selector)?.textContent ?? undefined
  const draft = () => root.querySelector('input') as HTMLInputElement
  const untilShown = (selector: string, text: string | undefined) =>
    expect.poll(() => show(selector)).toBe(text)
  const open = async (client: Client) => {
    const unmount = await mount(client, root)
    unmounts.push(unmount)
    return unmount
  }

  describe(name, () => {
    test('shows a signed-out session after one start', async () => {
      const client = world().client()
      await open(client)
      await untilShown('#status', 'signed-out')
      expect(show('#user')).toBeUndefined()
      expect(client.counts.start).toBe(1)
    })

    test('shows a restored session', async () => {
      const w = world()
      await w.signInElsewhere()
      await open(w.client())
      await untilShown('#user', 'alice')
      expect(show('#status')).toBe('signed-in')
    })

    test('shows a sign-in and a sign-out in another tab', async () => {
      const w = world()
      await open(w.client())
      await untilShown('#status', 'signed-out')
      const other = await w.signInElsewhere()
      await untilShown('#user', 'alice')
      await other.signOut()
      await untilShown('#status', 'signed-out')
      expect(show('#user')).toBeUndefined()
    })

    test('shows nothing of the previous user when another user signs in', async () => {
      const w = world()
      const other = await w.signInElsewhere('alice')
      await open(w.client())
      await untilShown('#user', 'alice')
      draft().value = 'written by alice'
      await other.signIn({ userAgent: w.agreeing('bob') })
      await untilShown('#user', 'bob')
      expect(draft().value).toBe('')
    })

    test("keeps the user's input while tokens are refreshed", async () => {
      const w = world()
      await w.signInElsewhere()
      const client = w.client()
      await open(client)
      await untilShown('#user', 'alice')
      draft().value = 'written by alice'
      const before = client.session
      w.clock.advance(400_000)
      await client.getAccessToken()
      expect(client.session).not.toBe(before)
      await untilShown('#user', 'alice')
      expect(draft().value).toBe('written by alice')
    })

    test('hides the user when the server ends the session', async () => {
      const w = world()
      await w.signInElsewhere()
      const client = w.client()
      await open(client)
      await untilShown('#user', 'alice')
      w.as.endSessions()
      w.clock.advance(400_000)
      await client.getAccessToken().catch(() => {})
      await untilShown('#status', 'signed-out')
      expect(show('#user')).toBeUndefined()
    })

    test('shows why a sign-in failed, until one succeeds', async () => {
      const w = world()
      const before = w.client()
      await before.start()
      void before.signIn({ returnTo: '/notes' })
      await expect.poll(() => w.departures.length).toBe(1)
      w.comeBack('access_denied')
      const client = w.client()
      await open(client)
      await expect.poll(() => show('#error')).toContain('access_denied')
      expect(show('#status')).toBe('signed-out')
      expect(location.pathname).toBe('/notes')
      await client.signIn({ userAgent: w.agreeing('alice') })
      await untilShown('#user', 'alice')
      expect(show('#error')).toBe('')
    })

    // a skipped test would make the run red
    const testHydration = hydrate ? test : () => {}
    testHydration(
      'takes over what a server has rendered, without a mismatch, though somebody is signed in already',
      async () => {
        const w = world()
        await w.signInElsewhere()
        const client = w.client()
        await client.start()
        const complaints: unknown[][] = []
        for (const level of ['error', 'warn'] as const)
          vi.spyOn(console, level).mockImplementation((...told) => void complaints.push(told))
        root.innerHTML = serverHtml ?? ''
        const element = root.querySelector('#status')
        expect(element?.textContent).toBe('starting')
        if (hydrate) unmounts.push(await hydrate(client, root))
        await untilShown('#user', 'alice')
        expect(show('#status')).toBe('signed-in')
        expect(root.querySelector('#status')).toBe(element)
        expect(complaints).toEqual([])
      },
    )

    test('leaves no listener when it is unmounted', async () => {
      const w = world()
      const client = w.client()
      const unmount = await open(client)
      await untilShown('#status', 'signed-out')
      expect(client.counts.listeners).toBeGreaterThan(0)
      unmount()
      await expect.poll(() => client.counts.listeners).toBe(0)
      unmounts = []
      await open(client)
      await w.signInElsewhere()
      await untilShown('#user', 'alice')
    })
  })
}
