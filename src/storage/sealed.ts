import type { KeyValue } from '../core/ports.ts'
import { StorageError } from '../errors.ts'

const AES = 'AES-GCM'
/** NIST SP 800-38D section 8.2: what AES-GCM is made for. */
const IV_BYTES = 12

/** What is stored in place of a value. One without `data` is being deleted, and as good as gone. */
interface Sealed {
  readonly sealed: 1
  /** Which key it is sealed with. */
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
/** No IV comes twice, so it tells one sealed value from any other. Whatever is not sealed is as good as nothing. */
const isSame = (one: unknown, other: unknown) =>
  isSealed(one) && isSealed(other)
    ? one.key === other.key && one.iv === other.iv
    : isSealed(one) === isSealed(other)

// text, because a store may keep JSON
const toText = (bytes: Uint8Array) => btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''))
const fromText = (text = '') => Uint8Array.from(atob(text), letter => letter.charCodeAt(0))
const utf8 = (text: string) => new TextEncoder().encode(text)

const parameters = (name: string, iv: Uint8Array<ArrayBuffer>) => ({
  name: AES,
  iv,
  additionalData: utf8(name),
})

const unseal = async (name: string, key: CryptoKey, { iv, data }: Sealed): Promise<unknown> => {
  try {
    const plain = await crypto.subtle.decrypt(parameters(name, fromText(iv)), key, fromText(data))
    return JSON.parse(new TextDecoder().decode(plain))
  } catch {
    return undefined // damaged, or moved here from another entry: as good as nothing
  }
}

const withKeys = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (cause) {
    throw new StorageError(
      'sealed() could not use its keys: it needs Web Crypto, and IndexedDB to keep them in. Try again; where these ' +
        'are not to be had, use the store as it is, without sealed().',
      { cause },
    )
  }
}

/**
 * KeyValue whose values are kept encrypted in `inner`. Every entry has a key of its own, which cannot be exported and
 * is destroyed before the entry is removed.
 * @param keys where the keys are: a place that can hold a CryptoKey.
 */
export function sealedKeyValue(inner: KeyValue, keys: KeyValue): KeyValue {
  const destroy = (name: string, key: string) =>
    withKeys(() => keys.update(`${name} ${key}`, () => undefined))

  /** Ends a deletion that has been decided, here or by somebody who did not live to end it. */
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
    const key = (await withKeys(() => keys.get(`${name} ${found.key}`))) as CryptoKey | undefined
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
        // what is used is what was kept: where that is no key, this fails now and not at the next start
        key = (await keys.get(`${name} ${id}`)) as CryptoKey
      }
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const data = await crypto.subtle.encrypt(parameters(name, iv), key, utf8(JSON.stringify(value)))
      return { sealed: 1, key: id, iv: toText(iv), data: toText(new Uint8Array(data)) }
    })

  return {
    get: async name => (await open(name)).value,
    // Web Crypto cannot be waited for inside of the inner store's atomic step: what was made outside of it is put in
    // only where nobody came in between
    async update(name, change) {
      for (;;) {
        const { found, key, value } = await open(name)
        const next = change(value)
        if (next === value && (value !== undefined || found === undefined)) return

        // a key is not shared by name: in another tab's sessionStorage, an entry of this name is another's
        const old = keyOf(found)
        const isEnd = typeof next === 'object' && next !== null && 'ended' in next
        const kept = isEnd ? undefined : key // nobody can use a copy of an ended session
        const id = (kept && old) ?? crypto.randomUUID()
        const ending: Sealed | undefined = isSealed(found) ? { sealed: 1, key: found.key } : undefined
        const replacement = next === undefined ? ending : await seal(name, next, id, kept)

        let stored: unknown
        let settled = false
        let done = false
        await inner.update(name, current => {
          stored = current
          // a write may be done twice where the store lost its word that it was done
          done = isSealed(replacement) && isSame(current, replacement)
          settled = done || isSame(current, found)
          if (done || !settled) return current
          // asked once more: the caller may have given up meanwhile, and says so by leaving what there is
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
