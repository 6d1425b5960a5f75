import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { fileHandOver, isOwnConnection } from '../../../src/platform/node/system-browser.ts'

const own = String(process.getuid?.())
const HEADER =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const row = (local: string, remote: string, state: string, user: string) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${user}        0 12345 1 0000000000000000`
const is = (...rows: string[]) => isOwnConnection([HEADER, ...rows].join('\n'), 0xd431, 0x20d0)

// on systems with users, and not with the access control lists of Windows
describe.skipIf(process.platform === 'win32')('the peer of a connection', () => {
  const CLIENT = '0100007F:D431'
  const SERVER = '0100007F:20D0'

  test.for<[string, string[], boolean]>([
    ['belongs to this user', [row(CLIENT, SERVER, '01', own)], true],
    ['belongs to root', [row(CLIENT, SERVER, '01', '0')], true],
    ['belongs to this user, over IPv6', [row(`${'0'.repeat(24)}01000000:D431`, `x:20D0`, '01', own)], true],
    ['belongs to another user', [row(CLIENT, SERVER, '01', '4242')], false],
    [
      'may belong to another user',
      [row(CLIENT, SERVER, '01', own), row('0200007F:D431', SERVER, '01', '4242')],
      false,
    ],
    ['has already closed, which hides its owner', [row(CLIENT, SERVER, '06', '0')], false],
    ['is not listed', [row(SERVER, CLIENT, '01', own)], false],
    ['is not listed in an empty table', [], false],
  ])('%s [F5.5]', ([, rows, expected]) => {
    expect(is(...rows)).toBe(expected)
  })
})

describe('a redirect page in a file', () => {
  const url = `https://id.example.com/authorize?a=b&c="><script>alert(1)</script>'`
  const make = () => {
    const way = fileHandOver(url)
    onTestFinished(() => way.close())
    return { way, path: fileURLToPath(way.argument) }
  }

  test.skipIf(process.platform === 'win32')(
    'cannot be read by other users, because of its mode and its folder [F5.5]',
    () => {
      const { path } = make()
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
    },
  )

  test('leads to the URL and contains nothing executable [F5.5]', () => {
    const { way, path } = make()
    expect(way.argument).not.toContain('id.example.com')
    const text = readFileSync(path, 'utf8')
    expect(text).not.toContain('<script')
    const [, target = ''] = /content="0;url=([^"]*)"/.exec(text) ?? []
    expect(target.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))).toBe(url)
  })

  test('is deleted with its folder when it is closed, however often [F5.5]', () => {
    const listeners = process.listenerCount('exit')
    const { way, path } = make()
    way.close()
    way.close()
    expect(existsSync(dirname(path))).toBe(false)
    expect(process.listenerCount('exit')).toBe(listeners)
  })
})
