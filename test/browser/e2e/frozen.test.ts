import { expect, test } from 'vitest'
import { endToEnd, statusOf, until, untilStatus } from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'
import { signedInTabs } from '../../support/e2e-storms.ts'

const e2e = endToEnd({ background: true })

test("a tab that was frozen during another tab's sign-out sends nothing with its token when it thaws", async () => {
  const profile = await e2e.newProfile()
  const [frozen, other] = (await signedInTabs(e2e, profile, 2)) as [Tab, Tab]
  expect(await frozen.run(() => window.app.call())).toBe(200)
  await frozen.run(() => {
    const outcomes: (string | number)[] = []
    let isFrozen = false
    const call = () => window.app.call().then(outcome => outcomes.push(outcome))
    // as eager as a page can be: it calls when it thaws and from every later timer
    document.addEventListener('freeze', () => {
      isFrozen = true
      Object.assign(window, { isFrozen })
    })
    window.addEventListener('resume', call, true)
    setInterval(() => isFrozen && call(), 5)
    Object.assign(window, { outcomes })
  })
  const outcomes = () => frozen.run(() => (window as unknown as { outcomes: (string | number)[] }).outcomes)
  await frozen.freeze()
  await other.run(() => window.app.client.signOut({ endProviderSession: false }))
  expect(await statusOf(other)).toBe('signed-out')
  expect(await frozen.run(() => 'isFrozen' in window)).toBe(true)
  const before = (await outcomes()).length
  const sent = () => profile.requests.filter(({ authorization }) => authorization !== undefined).length
  const sentBefore = sent()
  await frozen.thaw()
  await until('the thawed tab has called', async () => (await outcomes()).length > before + 3)
  await untilStatus(frozen, 'signed-out')
  expect(new Set((await outcomes()).slice(before))).toEqual(new Set(['ERR_AUTHORIZATION_REQUIRED']))
  expect(sent()).toBe(sentBefore)
})
