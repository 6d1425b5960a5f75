import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { KeyValue, Store } from '../../core/ports.ts'
import { fileLock } from '../../lock/file.ts'
import { silentChannel } from '../../storage/channel.ts'
import { createCipher, type EncryptionKey, encryptedKeyValue } from '../../storage/encrypted.ts'
import { fileKeyValue } from '../../storage/file.ts'
import { deviceClock } from '../device.ts'

/**
 * How long a write waits for other processes that write the same file: a busy disk takes seconds to flush one. A client
 * gives up sooner, by its own limit for storage calls.
 */
const WRITE_WAIT_MS = 5000
/** How long a writer is waited for that is stopped or cannot be seen: less, so that a program that runs once goes on. */
const WRITE_LEASE_MS = 1000

export interface FileOptions {
  /**
   * Encrypts the values in the file: 32 random bytes, or a list whose first key encrypts and whose others decrypt what is there
   * already. Default: nothing is encrypted; only the user can read the file (mode 0600).
   */
  encryptionKey?: EncryptionKey | readonly EncryptionKey[]
}

/** A store in one private file, whose values pass through `wrap`. */
export function fileStore(
  path: string,
  name: string,
  wrap: (keyValue: KeyValue, lock: Store['lock']) => KeyValue,
): Store {
  const whole = resolve(path)
  const lock = fileLock(`${whole}.lock`, deviceClock)
  const keyValue = fileKeyValue(whole, work => lock.run('write', work, WRITE_WAIT_MS, WRITE_LEASE_MS))
  return { name, keyValue: wrap(keyValue, lock), lock, channel: silentChannel }
}

/**
 * Tokens in one private file (mode 0600), shared by every process that names it.
 * @param path of the file; its folder is made where it is missing. A folder `<path>.lock` appears beside it.
 * @throws ConfigurationError for an encryption key that is not 32 bytes.
 */
export function file(path: string, { encryptionKey }: FileOptions = {}): Store {
  const cipher = encryptionKey === undefined ? undefined : createCipher(encryptionKey)
  return fileStore(path, 'file', inner => (cipher ? encryptedKeyValue(inner, () => cipher) : inner))
}

/** A file in the user's own folder for state. @param name of what it is for. */
export function defaultFile(name: string): string {
  const { platform, env } = process
  const folder =
    platform === 'win32'
      ? (env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'))
      : platform === 'darwin'
        ? join(homedir(), 'Library', 'Application Support')
        : (env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'))
  return join(folder, 'latchkey', `${name.replace(/[^\w.-]+/g, '_')}.json`)
}
