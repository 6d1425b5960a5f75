import { mount } from 'svelte'
import Session from '../../../examples/bindings/session.svelte'
import { load } from '../../../examples/bindings/sveltekit.ts'

/** Does what SvelteKit's client does with the `load` of a layout, for every page but `/welcome`. */
async function show(url: URL): Promise<void> {
  if (url.pathname !== '/welcome') {
    const instead = await load({ url }).catch((thrown: unknown) => thrown)
    if (instead instanceof URL) return show(instead)
    if (instead) throw instead
  }
  history.replaceState(null, '', url)
}

addEventListener('invalidate', () => show(new URL(location.href)))
await show(new URL(location.href))
mount(Session, { target: document.body })
