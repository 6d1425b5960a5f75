import { expect, test } from 'vitest'
import { endToEnd, untilExpired } from '../../support/e2e.ts'
import type { Tab } from '../../support/e2e-browser.ts'
import { holdLock, signedInTabs } from '../../support/e2e-storms.ts'

const e2e = endToEnd()

test('a lock that is never released costs one wait, but does not end the session or block later refreshes', {
  timeout: 90_000,
}, async () => {
  const profile = await e2e.newProfile()
  const [holder, caller] = (await signedInTabs(e2e, profile, 2, 3)) as [Tab, Tab]
  const asked = await caller.run(() => {
    const asked = { locks: 0, stolen: 0 }
    const request = navigator.locks.request.bind(navigator.locks)
    Object.assign(navigator.locks, {
      request: (...all: [string, LockOptions, LockGrantedCallback<unknown>]) => {
        asked.locks++
        if (all[1].steal) asked.stolen++
        return request(...all)
      },
    })
    Object.assign(window, { asked })
    return asked
  })
  expect(asked).toEqual({ locks: 0, stolen: 0 })
  const letGo = await holdLock(e2e, holder)
  await untilExpired(caller)
  const before = e2e.servers.refreshes().length

  const askedSoFar = () => caller.run(() => (window as unknown as { asked: object }).asked)
  expect(await caller.run(() => window.app.call())).toBe(200) // a wait beyond the limit would be rejected
  expect(await askedSoFar()).toEqual({ locks: 1, stolen: 0 })
  await untilExpired(caller)
  expect(await caller.run(() => window.app.call())).toBe(200)
  expect(await askedSoFar()).toEqual({ locks: 1, stolen: 0 }) // the second refresh did not wait for the lock at all

  await letGo()
  e2e.servers.issueFor(3600)
  await untilExpired(caller)
  const calls = await Promise.all([holder, caller].map(tab => tab.run(() => window.app.calls(5))))
  expect(calls).toEqual([{ 200: 5 }, { 200: 5 }])
  expect(e2e.servers.refreshes().length - before).toBe(3)
  expect(e2e.servers.replays()).toEqual([])
})
