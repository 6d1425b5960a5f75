import { lchownSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { file } from '../../src/node.ts'
import { tempFolders } from '../support/temp-folder.ts'

const tempFolder = tempFolders()

/** A folder that contains a file of tokens, and a link to that folder. */
function linked() {
  const root = tempFolder()
  const [behind, link] = [join(root, 'behind'), join(root, 'state')]
  mkdirSync(behind)
  writeFileSync(join(behind, 'tokens.json'), '{"key":"planted"}')
  symlinkSync(behind, link)
  return { behind, link, keyValue: file(join(link, 'tokens.json')).keyValue }
}

describe('a token folder that is a link', () => {
  // only root can create a link with another owner
  test.runIf(process.getuid?.() === 0)(
    'of another user is not followed for reading or writing [F5.6]',
    async () => {
      const { behind, link, keyValue } = linked()
      lchownSync(link, 12345, 12345)
      const calls = [
        () => keyValue.get('key'),
        () => keyValue.keys(''),
        () => keyValue.update('key', () => 'value'),
      ]
      for (const call of calls) {
        await expect(call()).rejects.toMatchObject({
          code: 'ERR_STORAGE',
          message: expect.stringContaining(`${link} is a symbolic link of another user`),
        })
      }
      expect(readdirSync(behind)).toEqual(['tokens.json'])
      expect(readFileSync(join(behind, 'tokens.json'), 'utf8')).toBe('{"key":"planted"}')
    },
  )

  test('of this user is followed, because settings folders often are links [F5.6]', async () => {
    const { behind, keyValue } = linked()
    expect(await keyValue.get('key')).toBe('planted')
    await keyValue.update('key', () => 'value')
    expect(JSON.parse(readFileSync(join(behind, 'tokens.json'), 'utf8'))).toEqual({ key: 'value' })
  })
})
