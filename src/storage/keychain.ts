import { randomBytes } from 'node:crypto'
import { WAIT_MS } from '../core/lock-times.ts'
import type { KeyValue, Lock } from '../core/ports.ts'
import { once } from '../core/waiting.ts'
import { ConfigurationError, LatchkeyError, StorageError } from '../errors.ts'
import { type Cipher, createCipher, encryptedKeyValue, KEY_BYTES } from './encrypted.ts'

/** One secret in the keychain of the operating system. */
export interface KeychainEntry {
  /** Resolves with `null` or `undefined` if there is none. */
  getPassword(): Promise<string | null | undefined>
  setPassword(secret: string): Promise<unknown>
}

/** Loads `@napi-rs/keyring`, which the app installs only if it needs it. */
async function openEntry(service: string, account: string): Promise<KeychainEntry> {
  const { AsyncEntry } = await import('@napi-rs/keyring').catch((cause: unknown) => {
    throw new ConfigurationError(
      'keychain() needs the package @napi-rs/keyring: install it, or use file() of latchkey/node.',
      { cause },
    )
  })
  // without a Secret Service, the package's default is a kernel keyring, which does not survive a reboot
  return new AsyncEntry(service, account, { linux: { store: 'secret-service' } })
}

/** A keychain that is locked may be unlocked; a system without a Secret Service has none to unlock. */
const noKeychain = (cause: unknown) => {
  // the first line of the system's message, which tells the user where to look; it contains no secret
  const words = cause instanceof Error ? String(/.{0,200}/.exec(cause.message)) : ''
  return new StorageError(
    `The system's keychain cannot be used (${words}). Unlock it and try again, or use file() of latchkey/node.`,
    { retryable: !/\bDBus\b/.test(words) },
  )
}

export interface KeychainOptions {
  readonly service: string
  readonly account: string
  readonly lock: Lock
  /** Default: the entry of @napi-rs/keyring. */
  readonly entry: KeychainEntry | undefined
  /** The path of the encrypted values, for messages. */
  readonly path: string
}

/** Encrypts the values in `inner` with a key in the keychain of the operating system. */
export function keychainKeyValue(inner: KeyValue, options: KeychainOptions): KeyValue {
  const { service, account, lock, path } = options

  const readKey = async (): Promise<Cipher> => {
    try {
      const entry = options.entry ?? (await openEntry(service, account))
      const found = await entry.getPassword()
      if (found) return createCipher(found)
      // a locked keychain may report no entry; a new key would make the stored values unreadable
      if ((await inner.keys('')).length > 0) {
        throw new StorageError(
          `The key for ${path} is not in the keychain. Unlock it and try again. If the key is gone, delete the file and sign in again.`,
        )
      }
      const made = randomBytes(KEY_BYTES).toString('base64')
      await entry.setPassword(made)
      if ((await entry.getPassword()) !== made) throw new Error('it keeps nothing')
      return createCipher(made)
    } catch (cause) {
      throw cause instanceof LatchkeyError ? cause : noKeychain(cause)
    }
  }
  // two processes that start at the same time must not create two keys
  const cipher = once(() => lock.run('keychain', readKey, WAIT_MS))
  return encryptedKeyValue(inner, cipher)
}
