import { type BrowserContextOptions, test as base, expect } from '@playwright/test'
import { createTestServer, playwrightRoutes, type TestServer } from 'latchkey/testing'

interface SignedIn {
  server: TestServer
  state: BrowserContextOptions['storageState']
}

// one server and one sign-in for each worker
const test = base.extend<object, SignedIn>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures that one needs
    async ({}, use) => {
      // with a grace period, every test can use the refresh token of the saved state
      const server = createTestServer({ redirectUri: 'http://127.0.0.1:5173/callback', graceMs: 3_600_000 })
      server.user = { sub: 'ada', name: 'Ada' }
      await use(server)
    },
    { scope: 'worker' },
  ],
  state: [
    async ({ browser, server }, use, { project }) => {
      const context = await browser.newContext({ baseURL: project.use.baseURL })
      await playwrightRoutes(server, context)
      const page = await context.newPage()
      await page.goto('/')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('Hello Ada').waitFor()
      await use(await context.storageState({ indexedDB: true }))
      await context.close()
    },
    { scope: 'worker' },
  ],
  storageState: ({ state }, use) => use(state),
  context: async ({ context, server }, use) => {
    await playwrightRoutes(server, context)
    await use(context)
  },
})

test('a test begins signed in', async ({ page, server }) => {
  const before = server.count('authorization_code')
  await page.goto('/')
  await expect(page.getByText('Hello Ada')).toBeVisible()
  expect(server.count('authorization_code')).toBe(before)
})

test('a revoked access token is refreshed, and the user sees nothing of it', async ({ page, server }) => {
  await page.goto('/')
  server.revokeAccessTokens()
  await page.getByRole('button', { name: 'Load notes' }).click()
  await expect(page.getByText('200')).toBeVisible()
  expect(server.count('refresh_token')).toBe(1)
})

test.describe('a stranger', () => {
  test.use({ storageState: undefined })
  test('signs in', async ({ page }) => {
    await page.goto('/')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await expect(page.getByText('Hello Ada')).toBeVisible()
  })
})
