import type { Extension } from './core/extension.ts'
import { loadable, notLoaded } from './core/waiting.ts'
import { deviceClock } from './platform/device.ts'
import { indexedDbKeyValue } from './storage/indexeddb.ts'
import { limited } from './storage/limited.ts'

export interface DpopOptions {
  /** The signature algorithm of the proofs (RFC 7518 section 3.1, RFC 9864). Default `ES256`. */
  algorithm?: 'ES256' | 'Ed25519' | 'PS256' | 'RS256'
}

/**
 * Binds access tokens to a key that does not leave this device (RFC 9449): `extensions: [dpop()]`. Without the key, a
 * stolen access token is useless. In browsers the key is non-extractable and stored in IndexedDB; in Node it is stored with
 * the tokens. A session whose key is lost ends with the reason `dpop_key_lost`. latchkey loads the code with `import()` on
 * first use.
 */
export const dpop =
  ({ algorithm = 'ES256' }: DpopOptions = {}): Extension =>
  context => {
    const keys = 'indexedDB' in globalThis ? indexedDbKeyValue('latchkey keys', deviceClock) : undefined
    const place = keys && { ...limited(keys, deviceClock), close: keys.close }
    const hooks = loadable(async () => {
      const { createDpop } = await import('./extensions/dpop.ts').catch(notLoaded)
      return createDpop(context, algorithm, place)
    })
    return {
      tokenType: 'dpop',
      authorizationRequest: async request => (await hooks.get()).authorizationRequest(request),
      tokenRequest: async (sessionId, send) => (await hooks.get()).tokenRequest(sessionId, send),
      presentation: {
        headers: async (...request) => (await hooks.get()).presentation.headers(...request),
        // nothing is loaded unless a request had these headers
        answered: (...answer) => hooks.loaded?.presentation.answered(...answer) ?? false,
      },
      ended: sessionId =>
        void hooks
          .get()
          .then(loaded => loaded.ended(sessionId))
          .catch(() => {}),
      close: () => place?.close(),
    }
  }
