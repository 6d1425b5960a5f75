import { describe, expect, test } from 'vitest'
import type { Lock } from '../../src/core/ports.ts'
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

/** Clients that share a store and all show the session. */
async function tabs(here: World, count: number) {
  const all = [await here.signedIn(), ...Array.from({ length: count - 1 }, () => here.client())]
  await Promise.all(all.map(tab => tab.start()))
  return all
}

const json = { 'content-type': 'application/json' }
const html = { 'content-type': 'text/html' }
const PAGE = '<!doctype html><h1>Blocked</h1>'

/** A client of an app that only shows its session, and time that passes while the app does nothing. */
async function shownApp(here: World) {
  let underWay = 0
  const lock: Lock = {
    async run(name, work, waitMs) {
      underWay++
      try {
        return await here.store.lock.run(name, work, waitMs)
      } finally {
        underWay--
      }
    },
  }
  const client = await here.signedIn({ store: { ...here.store, lock } })
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      here.clock.advance(1000)
      do for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
      while (underWay > 0)
    }
  }
  return { client, pass }
}

describe('a refresh token that the token endpoint rejects in its own words [F2.1]', () => {
  test.each<[string, Fault]>([
    ['400 without a body', status(400)],
    ['401 without a body', status(401)],
    ['400 and invalid_request', status(400, json, '{"error":"invalid_request"}')],
    [
      '400 and an error that is an object',
      status(400, json, '{"error":{"code":12,"message":"TOKEN_EXPIRED"}}'),
    ],
    ['400 without an error member', status(400, json, '{"message":"nope"}')],
    ['200 with its own error', status(200, json, '{"error":"token_dead","error_description":"gone"}')],
  ])('with %s is sent once and ends the session within two minutes', async (_what, fault) => {
    const here = world()
    const { client, pass } = await shownApp(here)
    here.expire()
    here.as.failNext.push(...times(50, fault))
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_SERVER')
    expect(here.as.count('refresh_token')).toBe(1)
    expect(client.session).toMatchObject({ status: 'signed-in', trouble: { error: { code: 'ERR_SERVER' } } })
    await pass(120)
    await expect.poll(() => client.session).toEqual({ status: 'signed-out', reason: 'expired' })
    expect(here.as.count('refresh_token')).toBe(2)
    expect(client.explain().events).toContainEqual(expect.objectContaining({ type: 'token-error' }))
  })

  test('the way GitHub does ends it immediately', async () => {
    const here = world()
    const client = await here.signedIn()
    here.expire()
    here.as.failNext.push(status(200, json, '{"error":"bad_refresh_token"}'))
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_AUTHORIZATION_REQUIRED')
    expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
  })

  test.each(['invalid_client', 'unauthorized_client', 'unsupported_grant_type'])(
    'with %s, which concerns the app, does not end the session',
    async error => {
      const here = world()
      const { client, pass } = await shownApp(here)
      here.expire()
      here.as.failNext.push(...times(500, status(400, json, JSON.stringify({ error }))))
      expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_SERVER')
      await pass(300)
      expect(client.session).toMatchObject({ status: 'signed-in', trouble: { error: { error } } })
    },
  )

  test.each<[string, Fault]>([
    ['401 with a page', status(401, html, PAGE)],
    ['403 from a firewall', status(403, html, PAGE)],
    ['404 from a proxy', status(404, html, PAGE)],
    ['407', status(407)],
    ['the page of a captive portal', status(200, html, PAGE)],
  ])(
    'is not confused with %s from an intermediary, which keeps the session, is sent once and shown',
    async (_what, fault) => {
      const here = world()
      const { client, pass } = await shownApp(here)
      here.expire()
      here.as.failNext.push(...times(500, fault))
      expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_NETWORK')
      expect(here.as.count('refresh_token')).toBe(1)
      await pass(300)
      expect(client.session).toMatchObject({
        status: 'signed-in',
        trouble: {
          error: {
            code: 'ERR_NETWORK',
            reason: 'not_the_server',
            message: expect.stringContaining('signIn()'),
          },
        },
      })
    },
  )

  test('while the access token is valid keeps the session until it expires', async () => {
    const here = world()
    const { client, pass } = await shownApp(here)
    here.clock.advance(250_000)
    here.as.failNext.push(...times(50, status(400)))
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ok')
    await pass(45)
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ok')
    await pass(120)
    expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
  })
})

describe('while refreshes fail [F2.2]', () => {
  test('every client shows what is wrong and since when, and none shows it afterwards', async () => {
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

  test('all clients of the store wait together: twenty calls in five clients send three requests', async () => {
    const here = world()
    const all = await tabs(here, 5)
    here.expire()
    here.as.failNext.push(...times(50, status(500)))
    const calls = all.flatMap(tab => Array.from({ length: 4 }, () => codeOf(tab.fetch(`${API}/me`))))
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['ERR_NETWORK']))
    expect(here.as.count('refresh_token')).toBe(3)
  })

  test('an idle client retries automatically, less and less often, and shows when it succeeds', async () => {
    const here = world()
    const { client, pass } = await shownApp(here)
    here.expire()
    here.as.failNext.push(...times(1000, reset))
    expect(await codeOf(client.fetch(`${API}/me`))).toBe('ERR_NETWORK')
    await pass(600)
    const sent = here.as.count('refresh_token')
    expect(sent).toBeGreaterThan(20)
    expect(sent).toBeLessThan(200)
    here.as.failNext.length = 0
    await pass(60)
    expect(client.session).toMatchObject({ status: 'signed-in' })
    expect(client.session).not.toHaveProperty('trouble')
  })

  test('a reloaded page retries immediately, unless the server asked for a pause', async () => {
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

  test('waking up retries immediately, unless the server asked for a pause [F2.13]', async () => {
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
