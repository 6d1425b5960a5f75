import type { Store } from './core/ports.ts'
import { ConfigurationError } from './errors.ts'
import { defaultFile, fileStore } from './platform/node/file-store.ts'
import { type KeychainEntry, keychainKeyValue } from './storage/keychain.ts'

export type { KeychainEntry } from './storage/keychain.ts'

export interface KeychainStoreOptions {
  /** The path of the file with the encrypted tokens. Default: a file in the user's state folder, named after `service`. */
  path?: string
  /** The account of the key in the keychain, next to `service`. Default `latchkey`. */
  account?: string
  /** The keychain entry that holds the key. Default: an entry of the operating system, through `@napi-rs/keyring`. */
  entry?: KeychainEntry
}

/**
 * Keeps tokens in one private file, encrypted with a key in the keychain of the operating system: Keychain on macOS,
 * Credential Manager on Windows, Secret Service on Linux. If the keychain is missing or locked, every call rejects with a
 * StorageError; that never signs the user out.
 * @param service the name of your program, as the keychain shows it.
 * @throws ConfigurationError for an empty name.
 */
export function keychain(service: string, options: KeychainStoreOptions = {}): Store {
  if (typeof service !== 'string' || !service)
    throw new ConfigurationError('keychain() needs the name of your program, such as "my-cli".')
  const { path = defaultFile(service), account = 'latchkey', entry } = options
  return fileStore(path, 'keychain', (inner, lock) =>
    keychainKeyValue(inner, { service, account, lock, entry, path }),
  )
}
