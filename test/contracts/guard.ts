import type { Client } from 'latchkey'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type PageWorld, pageWorlds } from '../support/bindings/page-world.ts'

/** A visible app of one router. */
export interface GuardedApp {
  /** Follows a link in the app. */
  go(path: string): unknown
  close(): void
}

/** Options for an app's guards. */
export interface GuardSetUp {
  readonly signedOutPath: string
  readonly beginSignIn?: boolean
}

/**
 * An app of one router that uses the page's address bar. Its pages show `#page`: `home` at `/`, `welcome` at `/welcome`, and
 * `notes` at the guarded `/notes`. `/callback` is the redirect URI.
 */
export interface RouterDriver {
  readonly name: string
  open(client: Client, root: HTMLElement, guard: GuardSetUp): Promise<GuardedApp>
}

/** The behaviour of every router's guards in a real page. */
export function guardContract({ name, open }: RouterDriver): void {
  const world = pageWorlds()
  let root: HTMLElement
  let apps: GuardedApp[] = []
  const closeApps = () => {
    for (const app of apps) app.close()
    apps = []
    root.replaceChildren()
  }
  beforeEach(() => {
    root = document.createElement('main')
    document.body.append(root)
  })
  afterEach(() => {
    closeApps()
    root.remove()
  })

  const page = () => root.querySelector('#page')?.textContent?.trim()
  const address = () => location.pathname + location.search + location.hash
  const untilPage = (shown: string) => expect.poll(page).toBe(shown)
  const untilWelcome = async (returnTo = '/notes?x=1') => {
    await expect.poll(() => [page(), location.pathname]).toEqual(['welcome', '/welcome'])
    expect(new URLSearchParams(location.search).get('returnTo')).toBe(returnTo)
  }
  /** Loads the page at `path`, or at the current address. */
  const load = async (w: PageWorld, path?: string, guard: Partial<GuardSetUp> = {}, client = w.client()) => {
    closeApps()
    if (path !== undefined) w.show(path)
    const app = await open(client, root, { signedOutPath: '/welcome', ...guard })
    apps.push(app)
    return { app, client }
  }

  /** Unloads the page that left before the user returns. */
  const comeBack = (w: PageWorld, error?: string) => {
    closeApps()
    w.comeBack(error)
  }

  describe(name, () => {
    test('a user whose access token has expired sees a guarded page without waiting for the server', async () => {
      const w = world()
      await w.signInElsewhere()
      w.clock.advance(400_000)
      w.setOffline(true)
      await load(w, '/notes?x=1')
      await untilPage('notes')
      expect(w.departures).toEqual([])
    })

    test('a guarded page starts a sign-in, and the user returns to it', async () => {
      const w = world()
      await load(w, '/notes?x=1')
      await expect.poll(() => w.departures.length).toBe(1)
      expect(page()).not.toBe('notes')
      comeBack(w)
      await load(w)
      await untilPage('notes')
      expect(address()).toBe('/notes?x=1')
      expect(w.departures).toHaveLength(1)
    })

    test('an open page starts no sign-in; the link to a guarded page does', async () => {
      const w = world()
      const { app } = await load(w, '/')
      await untilPage('home')
      app.go('/notes?x=1')
      await expect.poll(() => w.departures.length).toBe(1)
      comeBack(w)
      await load(w)
      await untilPage('notes')
      expect(address()).toBe('/notes?x=1')
    })

    test('a user who cancels the sign-in is asked, and not redirected again', async () => {
      const w = world()
      await load(w, '/notes?x=1')
      await expect.poll(() => w.departures.length).toBe(1)
      comeBack(w, 'access_denied')
      const { app } = await load(w)
      await untilWelcome()
      app.go('/')
      await untilPage('home')
      app.go('/notes?x=1')
      await untilWelcome()
      expect(w.departures).toHaveLength(1)
    })

    test('a user who signed out is asked, and not redirected', async () => {
      const w = world()
      const other = await w.signInElsewhere()
      await other.signOut()
      await load(w, '/notes?x=1')
      await untilWelcome()
      expect(w.departures).toEqual([])
    })

    test('a guard that may not start a sign-in asks the user', async () => {
      const w = world()
      await load(w, '/notes?x=1', { beginSignIn: false })
      await untilWelcome()
      expect(w.departures).toEqual([])
    })

    test('a guarded page is hidden when its user signs out in another tab', async () => {
      const w = world()
      const other = await w.signInElsewhere()
      await load(w, '/notes?x=1')
      await untilPage('notes')
      await other.signOut()
      await untilWelcome()
      expect(w.departures).toEqual([])
    })

    test('a guarded page is hidden when the server ends the session, and the user decides about the next', async () => {
      const w = world()
      await w.signInElsewhere()
      const { app, client } = await load(w, '/notes?x=1')
      await untilPage('notes')
      w.as.endSessions()
      w.clock.advance(400_000)
      await client.getAccessToken().catch(() => {})
      await untilWelcome()
      app.go('/notes?x=1')
      await untilWelcome()
      expect(w.departures).toEqual([])
    })

    test('a user who signs in on the page that asks gets to the guarded page', async () => {
      const w = world()
      const { app, client } = await load(w, '/notes?x=1', { beginSignIn: false })
      await untilWelcome()
      await client.signIn({ userAgent: w.agreeing('alice') })
      app.go('/notes?x=1')
      await untilPage('notes')
    })

    test('without a connection the page does not leave, and the next attempt starts the sign-in', async () => {
      const w = world()
      w.setOffline(true)
      const { app } = await load(w, '/')
      await untilPage('home')
      app.go('/notes?x=1')
      await expect.poll(() => w.attempts).toBeGreaterThan(0)
      await expect.poll(() => page() ?? '').not.toBe('notes')
      expect(w.departures).toEqual([])
      w.setOffline(false)
      app.go('/')
      await untilPage('home')
      app.go('/notes?x=1')
      await expect.poll(() => w.departures.length).toBe(1)
    })

    test('a guarded signed-out page does not redirect to itself endlessly', async () => {
      const w = world()
      const other = await w.signInElsewhere()
      await other.signOut()
      await load(w, '/notes?x=1', { signedOutPath: '/notes' })
      await untilPage('notes')
    })
  })
}
