import { breakStorage, type StorageFault } from './break-storage.ts'
import type { Tab } from './e2e-browser.ts'

/** The result of a call. */
export interface Settled {
  readonly call: string
  /** `resolved`, the code of the error, or `never` after 20 s, which is enough for six clients that wait for one lock. */
  readonly outcome: string
}

/**
 * Breaks the storage of this page and makes every public call. Each call has a separate client, except the two that need an
 * access token.
 * @param when whether storage breaks before the clients are created, after they have started, or is already broken.
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
    // like redirect(), but this page does not leave
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
