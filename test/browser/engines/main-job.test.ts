import { expect, test } from 'vitest'
import { addressOf, signedInTab, untilStatus } from '../../support/e2e.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'

inEveryEngine(e2e => {
  test('a sign-in by redirect returns signed in, with a clean address, and calls the API [RS16]', async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile())
    expect(await addressOf(tab)).not.toMatch(/[?&](code|state|iss)=/)
    expect(await tab.run(() => window.app.call())).toBe(200)
    expect(e2e.servers.tokenRequests).toHaveLength(1)
  })

  test('a reload and a second tab stay signed in without a token request [ST01]', async () => {
    const profile = await e2e.newProfile()
    const tab = await signedInTab(e2e, profile)
    await tab.reload()
    await untilStatus(tab, 'signed-in')
    const second = await profile.newTab(e2e.pages.appUrl)
    await untilStatus(second, 'signed-in')
    expect(await second.run(() => window.app.call())).toBe(200)
    expect(e2e.servers.tokenRequests).toHaveLength(1)
  })
})
