import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BrowserContextOptions, chromium, type Page } from 'playwright'
import { chromiumArgs, findChromium } from '../../test/support/chromium.ts'
import { startInspectorStage } from '../../test/support/inspector-stage.ts'
import { startServers } from './servers/start-servers.ts'
import { shootTerminals } from './terminal-pictures.ts'

const docs = fileURLToPath(new URL('../../docs', import.meta.url))
const target = join(docs, 'demo.png')

const desk = { viewport: { width: 1280, height: 860 } }
const phone = { viewport: { width: 375, height: 812 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }

async function signIn(page: Page) {
  await page.getByTestId('sign-in').click()
  await page.getByLabel('User name').fill('Ada Lovelace')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByTestId('list-notes').waitFor()
}

/** Clicks, and waits until the call has finished. */
async function call(page: Page, button: string, calls: number) {
  await page.getByTestId(button).click()
  await page.getByTestId('calls-ok').getByText(String(calls), { exact: true }).waitFor()
}

async function useEverything(page: Page) {
  await signIn(page)
  await page.getByTestId('note-text').fill('Leave the spare key with the neighbour')
  await call(page, 'add-note', 2)
  await page.getByTestId('revoke').click()
  await page.getByText('has revoked your access token').waitFor()
  await call(page, 'list-notes', 3)
  // the page draws the arrows within 0.3 s
  await page.waitForTimeout(600)
}

async function shoot(name: string, options: BrowserContextOptions, file: string, all: boolean) {
  const servers = await startServers()
  const browser = await chromium.launch({ executablePath: findChromium(), args: chromiumArgs })
  try {
    const page = await browser.newPage(options)
    page.on('pageerror', error => process.stderr.write(`${name}: ${error}\n`))
    await page.goto(servers.pageUrl)
    await page.getByTestId('sign-in').waitFor()
    if (all) {
      const folder = dirname(file)
      await page.screenshot({ path: join(folder, `${name}-signed-out.png`), fullPage: true })
      await page.getByTestId('sign-in').click()
      await page.getByLabel('User name').waitFor()
      await page.screenshot({ path: join(folder, `${name}-form.png`) })
      await page.goBack()
      await page.getByTestId('sign-in').waitFor()
    }
    await useEverything(page)
    await page.screenshot({ path: file, fullPage: name.startsWith('phone') })
    process.stdout.write(`${file}\n`)
  } finally {
    await browser.close()
    await servers.close()
  }
}

/** What happens before each picture of docs/inspector.md. */
const inspectorStates: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  'signed-in': page =>
    page.evaluate(async () => {
      await window.stage.call()
      await window.stage.refreshElsewhere()
      await window.stage.call('/notes/7')
    }),
  trouble: page => page.evaluate(() => window.stage.breakDown()),
  ended: page =>
    page.evaluate(async () => {
      window.stage.server.endSessions()
      await window.stage.call()
    }),
  phone: async page => {
    await page.evaluate(() => window.stage.call())
    await page.getByRole('button', { name: 'Get a 401' }).click()
  },
}

async function shootInspector() {
  const stage = await startInspectorStage()
  try {
    for (const [name, act] of Object.entries(inspectorStates)) {
      const colorScheme = name === 'trouble' || name === 'phone' ? 'dark' : 'light'
      const size = name === 'phone' ? phone : { viewport: { width: 1120, height: 620 } }
      const page = await stage.open({ ...size, colorScheme })
      await page.evaluate(async docked => {
        window.stage.mount({ open: true, docked })
        await window.stage.client.signIn()
      }, name === 'ended')
      await act(page)
      await page.waitForTimeout(1200)
      await page.screenshot({ path: join(docs, `inspector-${name}.png`) })
    }
  } finally {
    await stage.close()
  }
}

/**
 * Writes docs/demo.png, and the pictures of docs/cli.md and docs/inspector.md. With `--all`, also writes every other view to a
 * temporary folder.
 */
await mkdir(dirname(target), { recursive: true })
await shootTerminals()
await shootInspector()
await shoot('desk-light', { ...desk, colorScheme: 'light' }, target, false)
if (process.argv.includes('--all')) {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-screenshots-'))
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [device, size] of Object.entries({ desk, phone })) {
      const name = `${device}-${colorScheme}`
      await shoot(name, { ...size, colorScheme }, join(folder, `${name}.png`), true)
    }
  }
}
