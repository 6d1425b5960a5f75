import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { children } from '../support/child.ts'
import { tempFolders } from '../support/temp-folder.ts'

const start = children()
const tempFolder = tempFolders()
const store = () => join(tempFolder(), 'tokens.json')

test.for(['error=invalid_scope', 'error=invalid_scope&state=other'])(
  'a sign-in that gets %s, without its state, is rejected immediately with that error [F2.9]',
  async query => {
    const tool = start('sign-in-to-client', 'http://127.0.0.1/callback', store(), query)
    expect(await tool.ended).toBe(0)
    expect(tool.lines()[0]).toBe('refused ERR_CALLBACK authorization_error')
    expect(tool.lines()[1]).toContain('invalid_scope')
  },
)

describe('a sign-in that cannot begin', () => {
  test('because its port is taken rejects where the program catches it, and the program continues [F5.1]', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await new Promise(resolve => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    const tool = start('sign-in-to-client', `http://127.0.0.1:${port}/callback`, store())
    expect(await tool.ended).toBe(0)
    expect(tool.lines()[0]).toBe('refused ERR_CONFIGURATION ')
    expect(tool.lines()[1]).toContain(`Port ${port}`)
  })

  test('because its address cannot be opened throws a typed error, and the program ends [F5.1]', async () => {
    const tool = start('sign-in-to-client', 'http://127.0.0.1/callback', store(), 'fails')
    expect(await tool.ended).toBe(0)
    expect(tool.lines()[0]).toBe('refused ERR_CALLBACK cancelled')
  })
})
