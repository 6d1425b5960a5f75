import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hasBrowser } from '../../../src/platform/node/system-browser.ts'
import { tempFolders } from '../../support/temp-folder.ts'
import { startTool } from '../../support/tool-with-opener.ts'

const tempFolder = tempFolders()
const STATE = 'lk.loopback.abc'

/** A tool in a separate process, with an opener that records its arguments, or with none. */
function signIn(
  url: string,
  env: Record<string, string>,
  { opener = 'xdg-open', open = '', mode = 0o755 } = {},
) {
  const notes = opener ? `'%s\\n' "$#" "$@"` : undefined
  const script = 'sign-in-by-loopback'
  const tool = startTool({ folder: tempFolder(), script, args: [url, STATE, open], env, notes, opener, mode })
  const { said, ended } = tool
  return {
    ...tool,
    async finish() {
      await expect.poll(() => said.err).toContain('sign in')
      const [, listening] = /listening (\S+)/.exec(said.out) ?? []
      await fetch(`${listening}?code=c&state=${STATE}`)
      expect(await ended).toBe(0)
      expect(said.out).toContain(`answer ${listening}?code=c&state=${STATE}`)
    },
  }
}

test.for<[string, boolean, NodeJS.Platform, Record<string, string>, string?]>([
  ['a desktop of X11', true, 'linux', { DISPLAY: ':0' }, 'xdg-open'],
  ['a desktop of Wayland', true, 'linux', { WAYLAND_DISPLAY: 'wayland-0' }, 'xdg-open'],
  ['a desktop without xdg-open', false, 'linux', { DISPLAY: ':0' }],
  ['a Mac', true, 'darwin', {}],
  ['Windows', true, 'win32', {}],
  ['WSL with wslview, which has no display', true, 'linux', { WSL_DISTRO_NAME: 'Debian' }, 'wslview'],
  ['WSL without wslview', false, 'linux', { WSL_DISTRO_NAME: 'Debian', DISPLAY: ':0' }, 'xdg-open'],
  ['a machine without a display', false, 'linux', {}, 'xdg-open'],
  ['a machine whose display has no name', false, 'linux', { DISPLAY: '', WAYLAND_DISPLAY: '' }, 'xdg-open'],
  ['SSH', false, 'linux', { SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22' }],
  [
    'SSH with a terminal and a forwarded display',
    false,
    'linux',
    { SSH_TTY: '/dev/pts/1', DISPLAY: ':10' },
    'xdg-open',
  ],
  ['SSH to a Mac', false, 'darwin', { SSH_TTY: '/dev/ttys001' }],
  [
    'SSH into WSL',
    false,
    'linux',
    { SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22', WSL_DISTRO_NAME: 'Debian' },
    'wslview',
  ],
  ['Codespaces', false, 'linux', { CODESPACES: 'true', DISPLAY: ':1' }, 'xdg-open'],
  [
    'a development container',
    false,
    'linux',
    { REMOTE_CONTAINERS: 'true', WSL_DISTRO_NAME: 'Debian' },
    'wslview',
  ],
])('whether a browser is opened fits %s [NA07]', ([, expected, platform, env, opener]) => {
  const folder = tempFolder()
  if (opener) writeFileSync(join(folder, opener), '')
  expect(hasBrowser({ env: { ...env, PATH: ['/nowhere', folder].join(delimiter) }, platform })).toBe(expected)
})

// the opener differs by system; these are the rules of Linux
describe.runIf(process.platform === 'linux')('the address of a sign-in', () => {
  const url = "https://id.example.com/authorize?a=b&c=$(touch pwned);'`d`|e"

  test('is not an argument of the opener, which gets a one-time link to it [NA07, F5.5]', async () => {
    const tool = signIn(url, { DISPLAY: ':7' })
    await expect.poll(tool.noted).toMatch(/^1\nhttp:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\n$/)
    const link = tool.noted()?.split('\n')[1] ?? ''
    const follow = (init: RequestInit = {}) => fetch(link, { redirect: 'manual', ...init })
    expect((await follow({ method: 'HEAD' })).status).toBe(405) // does not use up the one time
    const answer = await follow()
    expect([answer.status, answer.headers.get('location')]).toEqual([302, url])
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    expect((await follow()).status).toBe(404)
    expect(tool.said.err).toContain(`\n${url}\n`)
    expect(tool.said.err).toMatch(
      /The sign-in comes back to http:\/\/127\.0\.0\.1:\d+\/callback\nIf the server's page refuses .* register http:\/\/127\.0\.0\.1\/callback for any port/,
    ) // [F4.11]
    expect(tool.said.err).not.toContain('ssh')
    expect(tool.said.err).not.toContain(link)
    await tool.finish()
  })

  test.runIf(process.getuid?.() === 0)(
    'is given only to the right user who follows the link, even after another user tried [F5.5]',
    async () => {
      const tool = signIn(url, { DISPLAY: ':7' })
      await expect.poll(tool.noted).toContain('http')
      const link = tool.noted()?.split('\n')[1] ?? ''
      const asNobody = `const { get } = await import('node:http')
        process.setgid(65534)
        process.setuid(65534)
        get('${link}', answer => { console.log(answer.statusCode, answer.headers.location); answer.resume() })`
      const other = spawnSync(process.execPath, ['--input-type=module', '-e', asNobody], { encoding: 'utf8' })
      expect(other.stdout).toBe('403 undefined\n')
      expect((await fetch(link, { redirect: 'manual' })).headers.get('location')).toBe(url)
      await tool.finish()
    },
  )

  test('is opened in the browser of Windows in WSL [NA07]', async () => {
    const tool = signIn(url, { WSL_DISTRO_NAME: 'Debian' }, { opener: 'wslview' })
    await expect.poll(tool.noted).toMatch(/^1\nhttp:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\n$/)
    await tool.finish()
  })

  test('is printed if the opener cannot run, and the sign-in continues [NA07]', async () => {
    const tool = signIn(url, { DISPLAY: ':7' }, { mode: 0o644 })
    await tool.finish()
    expect(tool.said.err).toContain(`\n${url}\n`)
    expect(tool.said.err).not.toContain('ssh')
    expect(tool.noted()).toBeUndefined()
  })

  test.for<[string, Record<string, string>, { open?: string; opener?: string }]>([
    ['over SSH', { SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22', DISPLAY: ':7' }, {}],
    ['without a display', {}, {}],
    ['if there is no opener', { DISPLAY: ':7' }, { opener: '' }],
    ['in WSL without wslview', { WSL_DISTRO_NAME: 'Debian', DISPLAY: ':7' }, {}],
    ['if the app says so', { DISPLAY: ':7' }, { open: 'print' }],
  ])('is only printed %s, with instructions for returning the response [NA07]', async ([, env, how]) => {
    const tool = signIn(url, env, how)
    await tool.finish()
    expect(tool.said.err).toContain(`\n${url}\n`)
    expect(tool.said.err).toMatch(/ssh -N -L (\d+):127\.0\.0\.1:\1 /)
    expect(tool.noted()).toBeUndefined()
  })
})
