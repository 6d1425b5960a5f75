import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { KeyValue, Store } from '../../core/ports.ts'
import { fileLock } from '../../lock/file.ts'
import { localChannels } from '../../storage/channel.ts'
import { createCipher, type EncryptionKey, encryptedKeyValue } from '../../storage/encrypted.ts'
import { fileKeyValue } from '../../storage/file.ts'
import { deviceClock } from '../device.ts'

/**
 * How long a write waits for other processes that write the same file: a busy disk takes seconds to flush it. A client
 * gives up earlier, because its storage calls have a shorter time limit.
 */
const WRITE_WAIT_MS = 5000
/** How long a write waits for a writer that is stopped or not visible: shorter, so that a one-off program can continue. */
const WRITE_LEASE_MS = 1000

export interface FileOptions {
  /**
   * Encrypts the values in the file: 32 random bytes, or a list. The first key of a list encrypts; the others decrypt values
   * that are already stored. Default: no encryption; only the user can read the file (mode 0600).
   */
  encryptionKey?: EncryptionKey | readonly EncryptionKey[]
}

/** A store in one private file. `wrap` can transform its values. */
export function fileStore(
  path: string,
  name: string,
  wrap: (keyValue: KeyValue, lock: Store['lock']) => KeyValue,
): Store {
  const whole = resolve(path)
  const lock = fileLock(`${whole}.lock`, deviceClock)
  const keyValue = fileKeyValue(whole, work => lock.run('write', work, WRITE_WAIT_MS, WRITE_LEASE_MS))
  return { name, keyValue: wrap(keyValue, lock), lock, channel: localChannels() }
}

/**
 * Keeps tokens in one private file (mode 0600), shared by every process that uses the same path.
 * @param path the path of the file. latchkey creates its folder if it is missing, and a folder `<path>.lock` next to it.
 * @throws ConfigurationError for an encryption key that is not 32 bytes.
 */
export function file(path: string, { encryptionKey }: FileOptions = {}): Store {
  const cipher = encryptionKey === undefined ? undefined : createCipher(encryptionKey)
  return fileStore(path, 'file', inner => (cipher ? encryptedKeyValue(inner, () => cipher) : inner))
}

/** The path of a file in the user's state folder. @param name the name of the file, without its extension. */
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
