import type { Store } from './core/ports.ts'
import { ConfigurationError } from './errors.ts'
import { defaultFile, fileStore } from './platform/node/file-store.ts'
import { type KeychainEntry, keychainKeyValue } from './storage/keychain.ts'

export type { KeychainEntry } from './storage/keychain.ts'

export interface KeychainStoreOptions {
  /** The file with the encrypted tokens. Default: one in the user's own folder, named after `service`. */
  path?: string
  /** The name of the key in the keychain, beside `service`. Default `latchkey`. */
  account?: string
  /** Where the key is kept. Default: the keychain of the operating system, by the package `@napi-rs/keyring`. */
  entry?: KeychainEntry
}

/**
 * Tokens in one private file, encrypted with a key in the keychain of the operating system: Keychain on macOS, Credential
 * Manager on Windows, Secret Service on Linux. A keychain that is missing or locked makes every call reject with a
 * StorageError; it never signs anybody out.
 * @param service the name of your program, as the keychain shows it.
 * @throws ConfigurationError without a name.
 */
export function keychain(service: string, options: KeychainStoreOptions = {}): Store {
  if (typeof service !== 'string' || !service)
    throw new ConfigurationError('keychain() needs the name of your program, such as "my-cli".')
  const { path = defaultFile(service), account = 'latchkey', entry } = options
  return fileStore(path, 'keychain', (inner, lock) =>
    keychainKeyValue(inner, { service, account, lock, entry, path }),
  )
}
