import { afterAll, beforeAll, expect, test } from 'vitest'
import { signedInTab, statusOf, until, untilStatus } from '../../support/e2e.ts'
import { inEveryEngine } from '../../support/engines/every-engine.ts'
import { type Portal, startPortal } from '../../support/portal.ts'

let portal: Portal
beforeAll(async () => {
  portal = await startPortal()
})
afterAll(() => portal?.close())

inEveryEngine(e2e => {
  test("in another site's frame, an app signs in by popup however the browser partitions storage [F8.10]", async () => {
    const tab = await signedInTab(e2e, await e2e.newProfile()) // from here on, the provider asks nothing
    e2e.pages.allowFraming(portal.origin)
    await tab.goto(portal.urlFor(e2e.pages.appUrl))
    await untilStatus(tab.framed(), 'signed-out')
    await tab.framed().click('#sign-in-popup')
    await until('signIn() has come to its end', () =>
      tab.framed().run(() => window.app.signedIn !== undefined),
    )
    expect(await tab.framed().run(() => window.app.signedIn)).toBe('signed-in')
    expect(await statusOf(tab.framed())).toBe('signed-in')
    expect(await tab.framed().run(() => window.app.call())).toBe(200)
    expect(e2e.servers.tokenRequests).toMatchObject([{ status: 200 }, { status: 200 }])
  })
})
