import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import type { KeyValue } from '../core/ports.ts'
import { ConfigurationError, StorageError } from '../errors.ts'

/** A key of 32 bytes: the bytes, or a text in base64, base64url or hexadecimal. */
export type EncryptionKey = string | Uint8Array

const ALGORITHM = 'aes-256-gcm'
export const KEY_BYTES = 32
/** The IV length that NIST SP 800-38D section 8.2 recommends for AES-GCM. */
const IV_BYTES = 12
const TAG_BYTES = 16

/** The stored form of a value. */
interface Encrypted {
  readonly encrypted: 1
  /** The id of the key that encrypted it. */
  readonly key: string
  /** IV, authentication tag and ciphertext, in base64. */
  readonly data: string
}

const isEncrypted = (stored: unknown): stored is Encrypted => {
  const { encrypted, key, data } = (stored ?? {}) as Partial<Encrypted>
  return encrypted === 1 && typeof key === 'string' && typeof data === 'string'
}

/** @throws ConfigurationError for a key that is not 32 bytes. */
function parseKey(key: EncryptionKey): { readonly id: string; readonly bytes: Buffer } {
  const isHex = typeof key === 'string' && /^[0-9a-f]{64}$/i.test(key)
  const bytes = typeof key === 'string' ? Buffer.from(key, isHex ? 'hex' : 'base64') : Buffer.from(key ?? [])
  if (bytes.length !== KEY_BYTES)
    throw new ConfigurationError(
      `"encryptionKey" must be 32 random bytes, as bytes or in base64; got ${bytes.length}. Make one with: openssl rand -base64 32`,
    )
  // identifies the key without revealing it
  const id = createHash('sha256').update('latchkey key id').update(bytes).digest('hex').slice(0, 16)
  return { id, bytes }
}

/** Encrypts and decrypts values. Each encrypted value is valid only under the name of its entry. */
export interface Cipher {
  encrypt(name: string, value: unknown): unknown
  /**
   * @returns the value; `undefined` if it is damaged, belongs to another entry, or is not encrypted.
   * @throws StorageError if it was encrypted with a key that is not in the list, because such a value is not lost.
   */
  decrypt(name: string, stored: unknown): unknown
}

/**
 * A cipher for AES-256-GCM with a key that the app keeps.
 * @param keys the first one encrypts; the others decrypt values from before a key change.
 * @throws ConfigurationError for a key that is not 32 bytes.
 */
export function createCipher(keys: EncryptionKey | readonly EncryptionKey[]): Cipher {
  const known = (Array.isArray(keys) ? keys : [keys]).map(parseKey)
  const [current] = known
  if (!current) throw new ConfigurationError('"encryptionKey" must be a key, or a list of at least one.')
  return {
    encrypt(name, value) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv(ALGORITHM, current.bytes, iv).setAAD(Buffer.from(name))
      const text = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()])
      const data = Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64')
      return { encrypted: 1, key: current.id, data } satisfies Encrypted
    },
    decrypt(name, stored) {
      if (!isEncrypted(stored)) return undefined
      const key = known.find(({ id }) => id === stored.key)
      if (!key)
        throw new StorageError(
          'What is stored was encrypted with another "encryptionKey". Add the key that was used before to the list, after the new one.',
          { retryable: false },
        )
      try {
        const bytes = Buffer.from(stored.data, 'base64')
        const text = bytes.subarray(IV_BYTES + TAG_BYTES)
        const decipher = createDecipheriv(ALGORITHM, key.bytes, bytes.subarray(0, IV_BYTES), {
          authTagLength: TAG_BYTES,
        })
          .setAAD(Buffer.from(name))
          .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
        return JSON.parse(Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8'))
      } catch {
        return undefined // damaged, or copied from another entry: treated as missing
      }
    },
  }
}

/** Encrypts the values in `inner`. Their names stay readable. */
export const encryptedKeyValue = (inner: KeyValue, cipher: () => Cipher | Promise<Cipher>): KeyValue => ({
  get: async key => (await cipher()).decrypt(key, await inner.get(key)),
  async update(key, change) {
    const { encrypt, decrypt } = await cipher()
    await inner.update(key, stored => {
      const value = decrypt(key, stored)
      const next = change(value)
      if (next === undefined) return undefined
      return next === value ? stored : encrypt(key, next)
    })
  },
  keys: prefix => inner.keys(prefix),
})
