import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { endToEnd, signedInTab, statusOf, until, untilExpired, untilStatus } from '../../support/e2e.ts'
import { launchProfile } from '../../support/e2e-browser.ts'

const e2e = endToEnd()

// a renderer can be killed only in Chromium, with CDP
test('a tab that crashes during a refresh leaves a session that the next tab continues', async () => {
  const profile = await e2e.newProfile()
  const dying = await signedInTab(e2e, profile, 1)
  await untilExpired(dying)
  e2e.servers.issueFor(3600)
  e2e.servers.fault('hang')
  await dying.run(() => void window.app.call())
  await until('the token request has arrived', () => e2e.servers.refreshes().length === 1)
  await dying.crash()
  await until('the server has noticed', () => e2e.servers.refreshes()[0]?.status === 0)
  e2e.servers.fault(undefined)

  const next = await profile.newTab(e2e.pages.appUrl)
  expect(await next.run(() => window.app.call())).toBe(200)
  expect(await statusOf(next)).toBe('signed-in')
  expect(e2e.servers.refreshes()).toMatchObject([{ faulty: true }, { status: 200 }])
})

// Firefox and WebKit run with profiles that are deleted with their session
test('the session survives a restart of the browser', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-profile-'))
  try {
    const before = await launchProfile(folder)
    await signedInTab(e2e, before).finally(() => before.close())

    const after = await launchProfile(folder)
    try {
      const tab = await after.newTab(e2e.pages.appUrl)
      await untilStatus(tab, 'signed-in')
      expect(await tab.run(() => window.app.call())).toBe(200)
    } finally {
      await after.close()
    }
    expect(e2e.servers.tokenRequests).toHaveLength(1)
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
})
