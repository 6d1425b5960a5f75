import { describe, expect, test } from 'vitest'
import { type Fault, reset, status } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const times = (count: number, fault: Fault) => Array<Fault>(count).fill(fault)
const codeOf = async (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: { code?: string }) => error.code,
  )

/** Clients that share a store, all of which show the session. */
async function tabs(here: World, count: number) {
  const all = [await here.signedIn(), ...Array.from({ length: count - 1 }, () => here.client())]
  await Promise.all(all.map(tab => tab.start()))
  return all
}

describe('while refreshes fail [F2.2]', () => {
  test('every client shows since when and what is wrong, and none of them once it is over', async () => {
    const here = world()
    const all = await tabs(here, 5)
    here.expire()
    const since = here.clock.now()
    here.as.failNext.push(...times(3, status(500)))
    expect(await codeOf(all[0]?.fetch(`${API}/me`) as Promise<Response>)).toBe('ERR_NETWORK')
    for (const tab of all) {
      await expect
        .poll(() => tab.session)
        .toMatchObject({
          status: 'signed-in',
          trouble: { error: { code: 'ERR_NETWORK', reason: 'unavailable', status: 500 } },
        })
      const { trouble } = tab.session as { trouble: { since: number } }
      expect(trouble.since).toBeGreaterThanOrEqual(since)
    }
    here.clock.advance(60_000)
    expect((await all[1]?.fetch(`${API}/me`))?.status).toBe(200)
    for (const tab of all) await expect.poll(() => tab.session).not.toHaveProperty('trouble')
  })

  test('all who share the store wait together: twenty calls in five clients send three requests', async () => {
    const here = world()
    const all = await tabs(here, 5)
    here.expire()
    here.as.failNext.push(...times(50, status(500)))
    const calls = all.flatMap(tab => Array.from({ length: 4 }, () => codeOf(tab.fetch(`${API}/me`))))
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['ERR_NETWORK']))
    expect(here.as.count('refresh_token')).toBe(3)
  })

  test('an idle client tries again by itself, less and less often, and shows that it is over', async () => {
    const here = world()
    const client = await here.signedIn()
    here.expire()
    here.as.failNext.push(...times(1000, reset))
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_NETWORK')
    for (let second = 0; second < 600; second++) {
      here.clock.advance(1000)
      await new Promise(resolve => setImmediate(resolve))
    }
    const sent = here.as.count('refresh_token')
    expect(sent).toBeGreaterThan(20)
    expect(sent).toBeLessThan(200)
    here.as.failNext.length = 0
    for (let second = 0; second < 60; second++) {
      here.clock.advance(1000)
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(client.session).toMatchObject({ status: 'signed-in' })
    expect(client.session).not.toHaveProperty('trouble')
  })

  test('a page that is loaded anew tries at once, but for the time that the server asked for', async () => {
    const here = world()
    const client = await here.signedIn()
    here.expire()
    here.as.failNext.push(...times(3, reset))
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_NETWORK')
    here.clock.advance(1)
    expect(await codeOf(here.client().fetch(`${API}/me`))).toBe('ok')
    here.expire()
    here.as.failNext.push(status(429, { 'retry-after': '600' }))
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_NETWORK')
    here.clock.advance(1)
    const sent = here.as.count('refresh_token')
    expect(await codeOf(here.client().fetch(`${API}/me`))).toBe('ERR_NETWORK')
    expect(here.as.count('refresh_token')).toBe(sent)
  })

  test('a wake tries at once, but for the time that the server asked for [F2.13]', async () => {
    const here = world()
    const wakes = new Set<() => void>()
    const wake = {
      listen(one: () => void) {
        wakes.add(one)
        return () => void wakes.delete(one)
      },
    }
    const client = await here.signedIn({ wake })
    here.expire()
    here.as.failNext.push(status(429, { 'retry-after': '600' }))
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_NETWORK')
    for (let second = 1; second <= 20; second++) {
      here.clock.advance(1000)
      for (const one of wakes) one()
      expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_NETWORK')
    }
    expect(here.as.count('refresh_token')).toBe(1)
    here.clock.advance(600_000)
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ok')
  })
})
