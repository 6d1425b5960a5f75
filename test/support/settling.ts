import { breakStorage, type StorageFault } from './break-storage.ts'
import type { Tab } from './e2e-browser.ts'

/** What a call came to. */
export interface Settled {
  readonly call: string
  /** `resolved`, the code of its error, or `never` after twenty seconds: six clients wait for one lock. */
  readonly outcome: string
}

/**
 * Breaks the storage of this page, if it is to be broken now, and makes every public call, each on a client of its own
 * but for the two that need an access token.
 * @param when the clients are made, or made and started, before storage breaks; or it is broken already.
 */
export async function settleAll(
  tab: Tab,
  fault: StorageFault,
  when: 'broken already' | 'before construction' | 'after start',
): Promise<Settled[]> {
  await tab.run(async moment => {
    if (moment === 'before construction') return
    const clients = Array.from({ length: 6 }, () => window.app.make())
    if (moment === 'after start') await Promise.all(clients.map(client => client.start()))
    Object.assign(window, { clients })
  }, when)
  if (when !== 'broken already') await tab.run(breakStorage, fault)
  return tab.run(async () => {
    const { clients = [] } = window as { clients?: ReturnType<typeof window.app.make>[] }
    const [a, b, c, d, e, f] = Array.from({ length: 6 }, (_, index) => clients[index] ?? window.app.make())
    if (!a || !b || !c || !d || !e || !f) throw new Error('There are six clients.')
    // as redirect(), but this page stays
    const userAgent = {
      name: 'stays',
      leaves: true,
      begin: () => ({
        redirectUri: new URL('/callback', location.href).href,
        authorize: async () => undefined,
        close() {},
      }),
    }
    const state = `lk.redirect.${Date.now().toString(36)}.AAAA`
    const callback =
      location.pathname === '/callback' ? location.href : `${location.origin}/callback?code=1&state=${state}`
    const calls: Record<string, () => Promise<unknown>> = {
      start: () => a.start(),
      signIn: () => b.signIn({ userAgent }),
      fetch: () => window.app.callWith(c),
      getAccessToken: () => c.getAccessToken(),
      signOut: () => d.signOut({ endProviderSession: false }),
      recover: () => e.recover({ userAgent }),
      handleCallback: () => f.handleCallback(callback),
    }
    return Promise.all(
      Object.entries(calls).map(async ([call, make]) => {
        const late = new Promise<string>(resolve => setTimeout(resolve, 20_000, 'never'))
        const made = make().then(
          () => 'resolved',
          (error: { code?: string }) => error.code ?? String(error),
        )
        return { call, outcome: await Promise.race([made, late]) }
      }),
    )
  })
}
