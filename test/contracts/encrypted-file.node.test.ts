import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, StorageError } from '../../src/errors.ts'
import { keychain } from '../../src/keychain.ts'
import { file } from '../../src/node.ts'
import type { KeychainEntry } from '../../src/storage/keychain.ts'
import { runCommand } from '../support/command.ts'
import { hasService } from '../support/services.ts'
import { tempFolders } from '../support/temp-folder.ts'
import { keyValueContract } from './key-value.ts'
import { lockContract } from './lock.ts'

const newFolder = tempFolders()
const encryptionKey = randomBytes(32)
let path = ''
const newPath = () => {
  path = join(newFolder(), 'tokens.json')
  return path
}

/** A keychain in memory that can be locked. */
function entryInMemory() {
  const state = { secret: null as string | null, isLocked: false, isDenied: false }
  const entry: KeychainEntry = {
    async getPassword() {
      if (state.isDenied) throw new Error("Couldn't access platform storage: unlock prompt was dismissed")
      return state.isLocked ? null : state.secret
    },
    async setPassword(secret) {
      state.secret = secret
    },
  }
  return { state, entry }
}

keyValueContract('file() with encryptionKey', {
  create: () => file(newPath(), { encryptionKey }).keyValue,
  again: () => file(path, { encryptionKey: encryptionKey.toString('base64') }).keyValue,
})

const shared = entryInMemory()
keyValueContract('keychain()', {
  create: () => keychain('test', { path: newPath(), entry: shared.entry }).keyValue,
  again: () => keychain('test', { path, entry: shared.entry }).keyValue,
})
lockContract('keychain()', {
  create: () => keychain('test', { path: newPath(), entry: shared.entry }).lock,
  again: () => keychain('test', { path, entry: shared.entry }).lock,
})

describe('file() with encryptionKey', () => {
  test('the file contains no readable value, and the key can be replaced', async () => {
    const old = file(newPath(), { encryptionKey })
    await old.keyValue.update('a session', () => ({ refreshToken: 'a-secret' }))
    expect(readFileSync(path, 'utf8')).not.toContain('a-secret')
    const newKey = randomBytes(32)
    const both = file(path, { encryptionKey: [newKey, encryptionKey] })
    expect(await both.keyValue.get('a session')).toEqual({ refreshToken: 'a-secret' })
    await both.keyValue.update('a session', stored => ({ ...(stored as object), more: 1 }))
    for (const call of [old.keyValue.get('a session'), old.keyValue.update('a session', () => 'lost')]) {
      const error = await call.catch((rejection: unknown) => rejection)
      expect(error).toBeInstanceOf(StorageError)
      expect(error).toMatchObject({ retryable: false })
    }
    expect(await file(path, { encryptionKey: newKey }).keyValue.get('a session')).toEqual({
      refreshToken: 'a-secret',
      more: 1,
    })
  })

  test('a key that is not 32 bytes is rejected immediately', () => {
    for (const wrong of ['password', '', randomBytes(16), []])
      expect(() => file('x.json', { encryptionKey: wrong })).toThrow(ConfigurationError)
  })
})

describe('keychain()', () => {
  test('stores a key in the keychain, and only data encrypted with it in the file', async () => {
    const { state, entry } = entryInMemory()
    const own = newPath()
    const both = [1, 2].map(() => keychain('test', { path: own, entry }))
    await Promise.all(both.map((store, index) => store.keyValue.update(`${index} session`, () => 'a-secret')))
    expect(await both[0]?.keyValue.get('1 session')).toBe('a-secret')
    expect(Buffer.from(state.secret as string, 'base64').length).toBe(32)
    expect(readFileSync(own, 'utf8')).not.toContain('a-secret')
    expect(readFileSync(own, 'utf8')).not.toContain(state.secret as string)
  })

  test('a keychain that is locked, denied or emptied rejects, and no data is lost', async () => {
    const { state, entry } = entryInMemory()
    const open = () => keychain('test', { path, entry }).keyValue
    newPath()
    await open().update('a session', () => 'kept')
    state.isLocked = true
    const locked = await open()
      .get('a session')
      .catch((rejection: unknown) => rejection)
    expect(locked).toMatchObject({
      message: expect.stringMatching(/is not in the keychain. Unlock it/),
      retryable: true,
    })
    await expect(open().update('a session', () => 'lost')).rejects.toBeInstanceOf(StorageError)
    state.isLocked = false
    state.isDenied = true
    const denied = open()
    const dismissed = await denied.get('a session').catch((rejection: unknown) => rejection)
    expect(dismissed).toMatchObject({ message: expect.stringMatching(/Unlock it/), retryable: true })
    state.isDenied = false
    expect(await denied.get('a session')).toBe('kept')
  })

  test('a program without a name is rejected', () => {
    expect(() => keychain('')).toThrow(ConfigurationError)
  })
})

const script = (path: string, work: string) => `
  const { keychain } = await import('./src/keychain.ts')
  const { keyValue } = keychain('latchkey-test', { path: ${JSON.stringify(path)} })
  ${work}`
const run = (path: string, work: string, env: Record<string, string> = {}) =>
  runCommand(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script(path, work)], {
    timeoutMs: 30_000,
    env: { HOME: newFolder(), ...env },
  })

test('without a keychain the error recommends file()', async () => {
  const work = `await keyValue.get('a').catch(({ code, retryable, message }) => console.log(code, retryable, message))`
  const { output } = await run(newPath(), work, { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' })
  expect(output).toMatch(/ERR_STORAGE false The system's keychain cannot be used .*file\(\)/)
})

// elsewhere the tests do not exist, instead of being skipped
const whereFound = hasService('Secret Service') ? describe : () => {}
whereFound('with a real Secret Service', () => {
  test('two processes share a session whose key is in the keychain', async () => {
    const home = newFolder()
    const own = newPath()
    const node = (work: string) =>
      `"${process.execPath}" --import tsx --input-type=module -e '${script(own, work).replaceAll("'", `'"'"'`)}'`
    const steps = [
      'echo -n pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null',
      `for try in 1 2 3 4 5 6 7 8 9 10; do ${node(`await keyValue.update('a session', () => 'kept')`)} && break; sleep 0.3; done`,
      node(`console.log('found', await keyValue.get('a session'))`),
    ]
    const { output } = await runCommand('dbus-run-session', ['--', 'bash', '-c', steps.join('\n')], {
      timeoutMs: 60_000,
      env: { HOME: home, XDG_RUNTIME_DIR: home, XDG_DATA_HOME: home },
    })
    expect(output).toContain('found kept')
    expect(readFileSync(own, 'utf8')).not.toContain('kept')
  })
})
