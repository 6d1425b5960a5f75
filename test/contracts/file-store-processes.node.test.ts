import { chownSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { file } from '../../src/node.ts'
import { children } from '../support/child.ts'
import { tempFolders } from '../support/temp-folder.ts'

const tempFolder = tempFolders()
const start = children()
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
const addOne = (stored: unknown) => ((stored as number | undefined) ?? 0) + 1

describe('the file store between processes', () => {
  test('four processes with fifty updates each lose none, and the file is always complete and private [ST07]', {
    timeout: 90_000,
  }, async () => {
    const path = join(tempFolder(), 'state', 'tokens.json')
    await file(path).keyValue.update('counter', () => 0)
    const all = Array.from({ length: 4 }, () => start('count-in-store', path, '50'))

    let running = true
    const ends = Promise.all(all.map(child => child.ended)).finally(() => {
      running = false
    })
    let samples = 0
    let last = 0
    const modes = new Set<string>()
    while (running) {
      const { counter } = JSON.parse(readFileSync(path, 'utf8')) as { counter: number }
      expect(counter).toBeGreaterThanOrEqual(last)
      last = counter
      modes.add(`${modeOf(dirname(path))} ${modeOf(path)}`)
      samples++
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(await ends).toEqual([0, 0, 0, 0])
    expect(samples).toBeGreaterThan(50)
    expect([...modes]).toEqual(['700 600'])
    expect(await file(path).keyValue.get('counter')).toBe(200)
    expect(readdirSync(dirname(path)).filter(name => name.endsWith('.tmp'))).toEqual([])
  })

  test('processes that are killed during a write leave a complete file behind', {
    timeout: 60_000,
  }, async () => {
    const path = join(tempFolder(), 'tokens.json')
    const { keyValue } = file(path)
    await keyValue.update('other', () => 'kept')
    for (const after of [3, 10]) {
      const child = start('count-in-store', path, '10000')
      await child.says('ready')
      while (child.lines().length <= after) await new Promise(resolve => setImmediate(resolve))
      child.kill('SIGKILL')
      await child.ended
      JSON.parse(readFileSync(path, 'utf8'))
      const before = (await keyValue.get('counter')) as number
      await keyValue.update('counter', addOne)
      expect(await keyValue.get('counter')).toBe(before + 1)
      expect(await keyValue.get('other')).toBe('kept')
    }
  })
})

describe('the file of the file store', () => {
  test('and its lock folder cannot be read by other users [ST07]', async () => {
    const path = join(tempFolder(), 'deep', 'er', 'tokens.json')
    await file(path).keyValue.update('key', () => 'value')
    expect(modeOf(path)).toBe('600')
    expect(modeOf(dirname(path))).toBe('700')
    expect(modeOf(`${path}.lock`)).toBe('700')
  })

  test.each([
    ['empty', ''],
    ['cut off', '{"key": {"acce'],
    ['binary', '\u0000\u0001\uffff'],
    ['an array', '["key"]'],
    ['a number', '42'],
    ['null', 'null'],
    ['of another program', '<plist version="1.0"></plist>'],
  ])('reads as empty if it is %s, and is replaced by the next write [ST03]', async (_what, content) => {
    const path = join(tempFolder(), 'tokens.json')
    writeFileSync(path, content)
    const { keyValue } = file(path)
    expect(await keyValue.get('key')).toBeUndefined()
    expect(await keyValue.keys('')).toEqual([])
    await keyValue.update('key', stored => ({ found: stored === undefined }))
    expect(await keyValue.get('key')).toEqual({ found: true })
  })

  test('is private after a write even if it was readable by others before [ST07]', async () => {
    const path = join(tempFolder(), 'tokens.json')
    writeFileSync(path, '{}', { mode: 0o644 })
    await file(path).keyValue.update('key', () => 'value')
    expect(modeOf(path)).toBe('600')
  })

  test('a symbolic link in its place is rejected, and the target is unchanged [ST07]', async () => {
    const folder = tempFolder()
    const [real, path] = [join(folder, 'real.json'), join(folder, 'tokens.json')]
    writeFileSync(real, '{"key": "planted"}')
    symlinkSync(real, path)
    const { keyValue } = file(path)
    const calls = [
      () => keyValue.get('key'),
      () => keyValue.update('key', () => 'value'),
      () => keyValue.keys(''),
    ]
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: 'ERR_STORAGE',
        message: expect.stringContaining(path),
      })
    }
    expect(readFileSync(real, 'utf8')).toBe('{"key": "planted"}')
  })

  // only root can create a file with another owner
  test.runIf(process.getuid?.() === 0)('a file of another user is rejected [ST07]', async () => {
    const path = join(tempFolder(), 'tokens.json')
    writeFileSync(path, '{"key": "planted"}')
    chownSync(path, 12345, 12345)
    const { keyValue } = file(path)
    for (const call of [() => keyValue.get('key'), () => keyValue.update('key', () => 'value')]) {
      await expect(call()).rejects.toMatchObject({ code: 'ERR_STORAGE' })
    }
    expect(readFileSync(path, 'utf8')).toBe('{"key": "planted"}')
  })

  test('a folder in its place causes an error that says so, not a signed-out session [F5.3]', async () => {
    const { keyValue } = file(tempFolder())
    await expect(keyValue.get('key')).rejects.toMatchObject({ code: 'ERR_STORAGE' })
  })
})
