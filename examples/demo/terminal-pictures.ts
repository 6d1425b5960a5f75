import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium } from 'playwright'
import { chromiumArgs, findChromium } from '../../test/support/chromium.ts'
import { cliTerminal } from '../../test/support/cli-terminal.ts'
import { type GrantServer, startGrantServer } from '../../test/support/grant-server.ts'
import { createScriptedUserAgent } from './scripted-user-agent.ts'
import { escapeHtml } from './servers/interaction-pages.ts'

const docs = fileURLToPath(new URL('../../docs', import.meta.url))

type Running = ReturnType<ReturnType<typeof cliTerminal>['cli']>

interface Picture {
  readonly title: string
  readonly env: Readonly<Record<string, string>>
  /** Whether there is no terminal. */
  readonly isUnattended?: boolean
  /** What the user does while `login` runs. */
  act(running: Running, server: GrantServer, browser: Browser): Promise<unknown>
}

/** Waits until the program has printed something that matches. */
async function printed({ said, child }: Running, pattern: RegExp): Promise<string> {
  for (;;) {
    const found = pattern.exec(said())
    if (found) return found[1] ?? found[0]
    if (child.exitCode !== null) throw new Error(`The program ended: ${said()}`)
    await delay(50)
  }
}

/** Signs bob in in a browser on another machine, where the redirect URI leads nowhere. @returns what its address bar shows. */
async function addressAtTheEnd(browser: Browser, address: string): Promise<string> {
  const redirectUri = new URL(address).searchParams.get('redirect_uri') ?? ''
  const page = await browser.newPage()
  await page.route(
    ({ href }) => href.startsWith(redirectUri),
    route => route.abort(),
  )
  const last = page.waitForRequest(request => request.url().startsWith(redirectUri))
  await page.goto(address)
  await page.getByLabel('User name').fill('bob')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()
  const url = (await last).url()
  await page.close()
  return url
}

const ADDRESS = /(http:\/\/127\.0\.0\.1:\d+\/auth\S+)\s/

const pictures: Readonly<Record<string, Picture>> = {
  desktop: {
    title: 'on a desktop',
    env: { DISPLAY: ':1' },
    act: async running => createScriptedUserAgent({ userName: 'carol' })(await printed(running, ADDRESS)),
  },
  ssh: {
    title: 'over SSH',
    env: { SSH_TTY: '/dev/pts/1' },
    async act(running, server) {
      const code = await printed(running, /enter this code:\n\n {2}(\w{4}-\w{4})/)
      await server.agree(`${server.issuer}/device?user_code=${code}`, 'alice')
    },
  },
  container: {
    title: 'in a container, without the device grant',
    env: { REMOTE_CONTAINERS: 'true', CLI_CLIENT_ID: 'grants-code-only' },
    async act(running, _server, browser) {
      const address = await printed(running, ADDRESS)
      await printed(running, /paste here/)
      running.child.stdin.write(`${await addressAtTheEnd(browser, address)}\n`)
    },
  },
  ci: {
    title: 'in CI, where nobody can sign in',
    env: { CI: 'true' },
    isUnattended: true,
    act: async ({ child }) => child.stdin.end(),
  },
}

/** A terminal of 100 columns with the bytes that the program printed. */
const page = (title: string, text: string) => `<!doctype html>
<style>
  body { margin: 0; padding: 16px; width: max-content; background: #fff }
  figure { margin: 0; border-radius: 8px; overflow: hidden; background: #16181d; color: #e6e8ec; font: 14px/1.45 monospace }
  figcaption { padding: 8px 14px; background: #2a2e37; color: #b8beca }
  pre { margin: 0; padding: 12px 14px 16px; width: 100ch; font: inherit; white-space: pre-wrap; word-break: break-all }
  b { color: #7ee0a3; font-weight: normal }
</style>
<figure><figcaption>${escapeHtml(title)}</figcaption><pre><b>$</b> cli login\n${escapeHtml(text)}</pre></figure>`

/** Runs examples/cli in each environment, in a pseudo-terminal where there is a terminal. Writes docs/terminal-*.png. */
export async function shootTerminals(): Promise<void> {
  const server = await startGrantServer()
  const browser = await chromium.launch({ executablePath: findChromium(), args: chromiumArgs })
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-terminals-'))
  try {
    for (const [name, { title, env, isUnattended, act }] of Object.entries(pictures)) {
      const { cli } = cliTerminal(server.issuer, mkdtempSync(join(folder, name)), { ...env })
      const running = cli(!isUnattended, 'login')
      await act(running, server, browser)
      await running.ended
      const shown = await browser.newPage({ deviceScaleFactor: 2 })
      await shown.setContent(page(title, running.said()))
      await shown.locator('body').screenshot({ path: join(docs, `terminal-${name}.png`) })
    }
  } finally {
    await browser.close()
    await server.close()
    rmSync(folder, { recursive: true })
  }
}
