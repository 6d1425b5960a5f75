import { fromBase64 } from '../core/base64url.ts'
import { isOfKind } from '../core/kind.ts'
import type { KeyValue } from '../core/ports.ts'
import { StorageError } from '../errors.ts'

const AES = 'AES-GCM'
/** The IV length that NIST SP 800-38D section 8.2 recommends for AES-GCM. */
const IV_BYTES = 12

/** The stored form of a value. Without `data`, the entry is being deleted and counts as missing. */
interface Sealed {
  readonly sealed: 1
  /** The id of the key that sealed it. */
  readonly key: string
  readonly iv?: string
  readonly data?: string
}

const isText = (value: unknown) => typeof value === 'string'
const isSealed = (value: unknown): value is Sealed => {
  const { sealed, key, iv, data } = (value ?? {}) as Partial<Sealed>
  return sealed === 1 && isText(key) && ((isText(iv) && isText(data)) || (iv ?? data) === undefined)
}

const keyOf = (stored: unknown) => (isSealed(stored) ? stored.key : undefined)
/** An IV is never used twice, so it identifies a sealed value. Everything that is not sealed counts as missing. */
const isSame = (one: unknown, other: unknown) =>
  isSealed(one) && isSealed(other)
    ? one.key === other.key && one.iv === other.iv
    : isSealed(one) === isSealed(other)

// as text, because some stores hold only JSON
const toText = (bytes: Uint8Array) => btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''))
const utf8 = (text: string) => new TextEncoder().encode(text)

const parameters = (name: string, iv: Uint8Array<ArrayBuffer>) => ({
  name: AES,
  iv,
  additionalData: utf8(name),
})

const unseal = async (name: string, key: CryptoKey, { iv, data }: Sealed): Promise<unknown> => {
  try {
    const plain = await crypto.subtle.decrypt(parameters(name, fromBase64(iv)), key, fromBase64(data))
    return JSON.parse(new TextDecoder().decode(plain))
  } catch {
    return undefined // damaged, or copied from another entry: treated as missing
  }
}

const withKeys = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (cause) {
    throw new StorageError(
      'sealed() could not use its keys: it needs Web Crypto, and IndexedDB to keep them in. Try again; where these ' +
        'are not available, use the store as it is, without sealed().',
      // of these kinds are the errors of an engine or a place that lacks what this needs
      { cause, retryable: !/^(Type|Reference|DataClone)Error$/.test(Object(cause).name) },
    )
  }
}

/**
 * Encrypts the values in `inner`. Every entry has its own non-extractable key, which is destroyed before the entry is
 * removed.
 * @param keys a place for the keys. It must be able to hold a CryptoKey.
 */
export function sealedKeyValue(inner: KeyValue, keys: KeyValue): KeyValue {
  const destroy = (name: string, key: string) =>
    withKeys(() => keys.update(`${name} ${key}`, () => undefined))

  /** Completes a deletion that has begun, here or in a page that was closed before it could finish. */
  const finish = async (name: string, ending: Sealed) => {
    await destroy(name, ending.key)
    await inner.update(name, stored => (isSame(stored, ending) ? undefined : stored))
  }

  const open = async (name: string) => {
    const found = await inner.get(name)
    if (!isSealed(found)) return { found }
    if (found.data === undefined) {
      await finish(name, found)
      return { found: undefined }
    }
    const kept = await withKeys(() => keys.get(`${name} ${found.key}`))
    // a tool that saves a browser's storage as JSON, such as Playwright, restores a key as an empty object
    const key = isOfKind(kept, 'CryptoKey') ? kept : undefined
    return { found, key, value: key && (await unseal(name, key, found)) }
  }

  const seal = (name: string, value: unknown, id: string, found?: CryptoKey): Promise<Sealed> =>
    withKeys(async () => {
      let key = found
      if (!key) {
        const made = await crypto.subtle.generateKey({ name: AES, length: 256 }, false, [
          'encrypt',
          'decrypt',
        ])
        await keys.update(`${name} ${id}`, () => made)
        // use the stored key: if the place cannot hold a key, this fails now and not at the next start
        key = (await keys.get(`${name} ${id}`)) as CryptoKey
      }
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const data = await crypto.subtle.encrypt(parameters(name, iv), key, utf8(JSON.stringify(value)))
      return { sealed: 1, key: id, iv: toText(iv), data: toText(new Uint8Array(data)) }
    })

  return {
    get: async name => (await open(name)).value,
    // the atomic step of the inner store cannot wait for Web Crypto: so encrypt first, and store the result only if no other
    // client has changed the entry meanwhile
    async update(name, change) {
      for (;;) {
        const { found, key, value } = await open(name)
        const next = change(value)
        if (next === value && (value !== undefined || found === undefined)) return

        // key ids are random: another tab's sessionStorage may have a different entry of the same name
        const old = keyOf(found)
        const isEnd = typeof next === 'object' && next !== null && 'ended' in next
        const kept = isEnd ? undefined : key // a new key makes every copy of the ended session unreadable
        const id = (kept && old) ?? crypto.randomUUID()
        const ending: Sealed | undefined = isSealed(found) ? { sealed: 1, key: found.key } : undefined
        const replacement = next === undefined ? ending : await seal(name, next, id, kept)

        let stored: unknown
        let settled = false
        let done = false
        await inner.update(name, current => {
          stored = current
          // the store may repeat a write if it did not learn that the first one succeeded
          done = isSealed(replacement) && isSame(current, replacement)
          settled = done || isSame(current, found)
          if (done || !settled) return current
          // call it once more: a caller that has given up meanwhile returns the value unchanged
          done = change(value) !== value || next === value
          return done ? replacement : current
        })
        if (next !== undefined && id !== old && !done && keyOf(stored) !== id) await destroy(name, id)
        if (next !== undefined && done && old && old !== id) await destroy(name, old)
        if (done && next === undefined && ending) await finish(name, ending)
        if (settled) return
      }
    },
    keys: prefix => inner.keys(prefix),
  }
}
