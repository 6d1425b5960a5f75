import type { Extension } from './core/extension.ts'
import { notLoaded } from './core/waiting.ts'
import type { DpopHooks } from './extensions/dpop.ts'
import { deviceClock } from './platform/device.ts'
import { indexedDbKeyValue } from './storage/indexeddb.ts'
import { limited } from './storage/limited.ts'

export interface DpopOptions {
  /** How proofs are signed (RFC 7518 section 3.1, RFC 9864). Default `ES256`. */
  algorithm?: 'ES256' | 'Ed25519' | 'PS256' | 'RS256'
}

/**
 * Access tokens that are of no use without a key which does not leave this device (RFC 9449): `extensions: [dpop()]`.
 * In browsers the key cannot be exported and is kept in IndexedDB; in Node it is in the private file beside the tokens.
 * A session whose key is gone ends with the reason `dpop_key_lost`. Its work is loaded by `import()` when it is first
 * needed.
 */
export const dpop =
  ({ algorithm = 'ES256' }: DpopOptions = {}): Extension =>
  context => {
    const keys = 'indexedDB' in globalThis ? indexedDbKeyValue('latchkey keys', deviceClock) : undefined
    const place = keys && { ...limited(keys, deviceClock), close: keys.close }
    let loaded: DpopHooks | undefined
    const load = async (): Promise<DpopHooks> => {
      const { createDpop } = await import('./extensions/dpop.ts').catch(notLoaded)
      loaded ??= createDpop(context, algorithm, place)
      return loaded
    }
    return {
      tokenType: 'dpop',
      authorizationRequest: async request => (await load()).authorizationRequest(request),
      tokenRequest: async (sessionId, send) => (await load()).tokenRequest(sessionId, send),
      presentation: {
        headers: async (...request) => (await load()).presentation.headers(...request),
        // of a request that had such headers
        answered: (...answer) => loaded?.presentation.answered(...answer) ?? false,
      },
      ended: sessionId =>
        void load()
          .then(hooks => hooks.ended(sessionId))
          .catch(() => {}),
      close: () => place?.close(),
    }
  }
