import type { Extension } from './core/extension.ts'
import { type DpopOptions, dpopExtension } from './extensions/dpop.ts'
import { deviceClock } from './platform/device.ts'
import { indexedDbKeyValue } from './storage/indexeddb.ts'
import { limited } from './storage/limited.ts'

export type { DpopOptions } from './extensions/dpop.ts'

/**
 * Access tokens that are of no use without a key which does not leave this device (RFC 9449): `extensions: [dpop()]`.
 * In browsers the key cannot be exported and is kept in IndexedDB; in Node it is in the private file beside the tokens.
 * A session whose key is gone ends with the reason `dpop_key_lost`.
 */
export const dpop = (options: DpopOptions = {}): Extension => {
  const keys = 'indexedDB' in globalThis ? indexedDbKeyValue('latchkey keys', deviceClock) : undefined
  return dpopExtension(options, keys && { ...limited(keys, deviceClock), close: keys.close })
}
