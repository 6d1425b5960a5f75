import { onUserChange, requireSession } from 'latchkey/svelte'
import { guardContract } from '../../contracts/guard.ts'

class Redirect {
  readonly location: string
  constructor(location: string) {
    this.location = location
  }
}
const redirect = (_status: 302, to: string): never => {
  throw new Redirect(to)
}

/** SvelteKit throws too when a `load` reads the fragment. */
const withoutFragment = (url: URL) =>
  Object.defineProperty(new URL(url), 'hash', {
    get() {
      throw new Error('Cannot access event.url.hash.')
    },
  })

const PAGES: Readonly<Record<string, { name: string; isGuarded?: true }>> = {
  '/': { name: 'home' },
  '/welcome': { name: 'welcome' },
  '/callback': { name: 'callback', isGuarded: true },
  '/notes': { name: 'notes', isGuarded: true },
}

// what SvelteKit's client does with a `load`; test/package/skeletons.test.ts drives SvelteKit itself
guardContract({
  name: 'latchkey/svelte with SvelteKit',
  async open(client, root, guard) {
    const load = requireSession(client, { redirect, ...guard })
    const shown = root.appendChild(document.createElement('p'))
    shown.id = 'page'
    let newest: unknown
    const show = async (address: string): Promise<void> => {
      const url = new URL(address, location.href)
      const { name, isGuarded } = PAGES[url.pathname] ?? { name: 'error' }
      const navigation = {}
      newest = navigation
      let failure: unknown
      if (isGuarded)
        await load({ url: withoutFragment(url) }).catch((reason: unknown) => {
          failure = reason
        })
      if (newest !== navigation) return
      if (failure instanceof Redirect) return show(failure.location)
      shown.textContent = failure ? 'error' : name
      history.replaceState(null, '', url)
    }
    void show(location.href)
    const stop = onUserChange(client, () => show(location.href))
    return {
      go: show,
      close() {
        newest = undefined
        stop()
      },
    }
  },
})
