import { readFileSync } from 'node:fs'
import type { Page } from 'playwright'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startInspectorStage } from '../../support/inspector-stage.ts'

declare const axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }

let stage: Awaited<ReturnType<typeof startInspectorStage>>
const pages: Page[] = []
beforeAll(async () => {
  stage = await startInspectorStage()
})
afterAll(() => stage?.close())
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close()
})

const open = async (options: Parameters<typeof stage.open>[0] = {}) => {
  const page = await stage.open(options)
  pages.push(page)
  return page
}
const signedIn = async (
  options: { docked?: boolean } = {},
  context: Parameters<typeof stage.open>[0] = {},
) => {
  const page = await open(context)
  await page.evaluate(async how => {
    window.stage.mount({ open: true, ...how })
    await window.stage.client.signIn()
    await window.stage.call()
  }, options)
  return page
}
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
/** What it has drawn, by event type. */
const drawn = (page: Page) =>
  page.locator('.arrow').evaluateAll(rows => rows.map(row => (row as HTMLElement).dataset.event))
const violations = async (page: Page) => {
  await page.evaluate(readFileSync('node_modules/axe-core/axe.min.js', 'utf8'))
  return page.evaluate(async () => {
    const found = (await axe.run()).violations
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  })
}

test('the inspector draws the requests between all parties and shows the signed-in user', async () => {
  const page = await signedIn()
  await expect.poll(() => drawn(page)).toContain('api-response')
  expect(await drawn(page)).toEqual(
    expect.arrayContaining(['authorization-request', 'token-request', 'token-response', 'session-started']),
  )
  const panel = page.getByRole('region', { name: 'latchkey inspector' })
  expect(await panel.textContent()).toContain('signed in · Ada Lovelace')
  expect(await panel.textContent()).toContain('offline_access notes:read')
})

test('the inspector never shows a token, a code or a verifier', async () => {
  const page = await signedIn()
  await button(page, 'Refresh').click()
  await expect
    .poll(() => drawn(page).then(types => types.filter(one => one === 'token-response').length))
    .toBe(2)
  const { html, stored, secrets } = await page.evaluate(() => ({
    html: document.querySelector('latchkey-inspector')?.shadowRoot?.innerHTML ?? '',
    stored: JSON.stringify({ ...sessionStorage }),
    secrets: [...window.stage.server.secrets],
  }))
  expect(secrets.length).toBeGreaterThan(6)
  expect(secrets.filter(secret => (html + stored).includes(secret))).toEqual([])
})

test('Expire makes the next call refresh first, and the ring shows the expiry', async () => {
  const page = await signedIn()
  await button(page, 'Expire').click()
  await expect.poll(() => page.locator('.life').textContent()).toContain('Expired')
  expect(await page.evaluate(() => window.stage.server.count('refresh_token'))).toBe(0)
  expect(await page.evaluate(() => window.stage.call())).toBe(200)
  expect(await page.evaluate(() => window.stage.server.count('refresh_token'))).toBe(1)
  await expect.poll(() => page.locator('.life').textContent()).toContain('left')
})

test('Get a 401 causes one refresh and one replay, and is disabled until there was a GET', async () => {
  const page = await open()
  await page.evaluate(async () => {
    window.stage.mount({ open: true })
    await window.stage.client.signIn()
  })
  await expect.poll(() => button(page, 'Get a 401').isDisabled()).toBe(true)
  await page.evaluate(() => window.stage.call('/notes?secret=1'))
  await expect.poll(() => button(page, 'Get a 401').isDisabled()).toBe(false)
  await button(page, 'Get a 401').click()
  await expect.poll(() => drawn(page).then(types => types.at(-1))).toBe('api-response')
  await expect.poll(() => page.locator('.arrow').last().textContent()).toContain('200')
  expect(await page.evaluate(() => window.stage.server.count('refresh_token'))).toBe(1)
})

test('Copy report puts explain() on the clipboard, without secrets, and says so', async () => {
  const page = await signedIn({}, { permissions: ['clipboard-read', 'clipboard-write'] })
  await button(page, 'Copy report').click()
  await button(page, 'Copied').waitFor()
  const { copied, explained, secrets } = await page.evaluate(async () => ({
    copied: await navigator.clipboard.readText(),
    explained: JSON.stringify(window.stage.client.explain(), null, 2),
    secrets: [...window.stage.server.secrets],
  }))
  expect(JSON.parse(copied)).toMatchObject({ session: { status: 'signed-in' } })
  expect(Object.keys(JSON.parse(copied))).toEqual(Object.keys(JSON.parse(explained)))
  expect(secrets.filter(secret => copied.includes(secret))).toEqual([])
})

test('the inspector names the tab that refreshed', async () => {
  const page = await signedIn()
  await expect.poll(() => page.locator('.facts').textContent()).toContain('tokens fromthis tab')
  await page.evaluate(() => window.stage.refreshElsewhere())
  await expect.poll(() => page.locator('.facts').textContent()).toMatch(/tokens fromtab \w+/)
  expect(await drawn(page)).toContain('tokens-adopted')
})

test('the inspector shows what is wrong: failing refreshes, then why the session ended', async () => {
  const page = await signedIn()
  await page.evaluate(() => window.stage.breakDown())
  await expect.poll(() => page.locator('.findings').textContent()).toContain('Refreshes fail: ERR_NETWORK')
  const other = await signedIn()
  await other.evaluate(async () => {
    window.stage.server.endSessions()
    await window.stage.call()
  })
  await expect.poll(() => other.locator('.findings').textContent()).toContain('The session ended: expired')
})

test('when docked, the inspector opens and closes by keyboard and keeps the focus', async () => {
  const page = await open()
  await page.evaluate(() => window.stage.mount({ docked: true }))
  const panel = page.getByRole('region', { name: 'latchkey inspector' })
  expect(await panel.isVisible()).toBe(false)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  expect(await panel.isVisible()).toBe(true)
  const focused = () =>
    page.evaluate(() => document.querySelector('latchkey-inspector')?.shadowRoot?.activeElement?.textContent)
  expect(await focused()).toBe('Close')
  await page.keyboard.press('Escape')
  expect(await panel.isVisible()).toBe(false)
  expect(await focused()).toBe('latchkey')
})

test('the drawing survives a reload of the tab, and Clear removes it', async () => {
  const page = await signedIn()
  const before = await drawn(page)
  await page.reload()
  await page.waitForFunction(() => window.stage !== undefined)
  await page.evaluate(() => window.stage.mount({ open: true }))
  expect(await drawn(page)).toEqual(before)
  await button(page, 'Clear').click()
  expect(await drawn(page)).toEqual([])
})

test('a removed inspector receives no more events', async () => {
  const page = await signedIn()
  const stored = () => page.evaluate(() => sessionStorage.getItem('latchkey inspector'))
  const before = await stored()
  await page.evaluate(async () => {
    window.stage.unmount()
    await window.stage.call()
  })
  expect(await stored()).toBe(before)
  expect(await page.locator('latchkey-inspector').count()).toBe(0)
})

describe('axe-core finds nothing', () => {
  test.each([
    ['signed in, light', 'light', false, {}],
    ['signed in, dark', 'dark', false, {}],
    ['docked', 'light', true, {}],
    ['on a phone', 'dark', false, { viewport: { width: 375, height: 740 } }],
  ] as const)('%s', async (_what, colorScheme, docked, size) => {
    const page = await signedIn({ docked }, { colorScheme, ...size })
    expect(await violations(page)).toEqual([])
    await page.evaluate(() => window.stage.breakDown())
    await expect.poll(() => page.locator('.findings li').count()).toBe(1)
    expect(await violations(page)).toEqual([])
    const overflow = () =>
      page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    expect(await overflow()).toBe(0)
  })
})
