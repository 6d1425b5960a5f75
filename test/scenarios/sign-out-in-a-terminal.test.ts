import { describe, expect, test } from 'vitest'
import { tempFolders } from '../support/temp-folder.ts'
import { startTool } from '../support/tool-with-opener.ts'

const tempFolder = tempFolders()

/** A tool that signs out in a separate process, with an opener that records its argument. */
function signOut(choice: object, env: Record<string, string>, options: object = {}) {
  const args = [JSON.stringify(choice), JSON.stringify(options)]
  return startTool({ folder: tempFolder(), script: 'sign-out', args, env, notes: `'%s' "$@"` })
}

// how a browser is opened differs by system; these are the rules of Linux
describe.runIf(process.platform === 'linux')('a sign-out in a terminal', { timeout: 60_000 }, () => {
  const END = { endProviderSession: true }

  test.for<[string, object, object]>([
    ['if requested', END, {}],
    ['with a postLogoutRedirectUri', {}, { postLogoutRedirectUri: 'https://app.example.com/bye' }],
  ])("opens the provider's sign-out page %s and reports it [F2.5]", async ([, choice, options]) => {
    const tool = signOut(choice, { DISPLAY: ':7' }, options)
    await expect.poll(tool.noted).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}$/)
    const { status, headers } = await fetch(tool.noted() ?? '', { redirect: 'manual' })
    expect(status).toBe(302)
    const target = new URL(headers.get('location') ?? '')
    expect(target.href).toMatch(/^https:\/\/id\.example\.com\/logout\?/)
    expect(target.searchParams.get('id_token_hint')).toMatch(/^eyJ/)
    expect(await tool.ended).toBe(0)
    expect(tool.said.out).toBe('session signed-out\n')
    expect(tool.said.err).toContain("The browser opens the provider's sign-out page.")
    // it may end up in a log
    expect(tool.said.err).toContain('\nhttps://id.example.com/logout?client_id=')
    expect(tool.said.err).not.toContain('eyJ')
  })

  test('whose browser never responds still completes [F2.5]', async () => {
    const tool = signOut(END, { DISPLAY: ':7' })
    expect(await tool.ended).toBe(0)
    expect(tool.said.out).toBe('session signed-out\n')
  })

  test('prints the address without the ID Token if there is no browser [F2.5]', async () => {
    const tool = signOut(END, {})
    expect(await tool.ended).toBe(0)
    expect(tool.said.err).toMatch(/Open this address .*:\nhttps:\/\/id\.example\.com\/logout\?client_id=/)
    expect(tool.said.err).not.toContain('eyJ')
    expect(tool.noted()).toBeUndefined()
  })

  test.for<[string, object, object]>([
    ['by default', {}, {}],
    [
      'if switched off',
      { endProviderSession: false },
      { postLogoutRedirectUri: 'https://app.example.com/bye' },
    ],
  ])('opens nothing and reports nothing %s [F2.5]', async ([, choice, options]) => {
    const tool = signOut(choice, { DISPLAY: ':7' }, options)
    expect(await tool.ended).toBe(0)
    expect(tool.said).toEqual({ out: 'session signed-out\n', err: '' })
    expect(tool.noted()).toBeUndefined()
  })
})
