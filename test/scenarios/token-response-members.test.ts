import { describe, expect, test } from 'vitest'
import { altered } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

describe('token response members that the app names', () => {
  const responseParameters = ['patient', 'instance_url', 'context']

  test('are on the session, in every client and after a restart [F8.13]', async () => {
    const { signedIn, client, as } = world()
    as.moreMembers = { patient: 'p-1', context: { encounter: [1] }, unnamed: 'x' }
    const { session } = await signedIn({ responseParameters })
    const kept = { patient: 'p-1', context: { encounter: [1] } }
    expect(session).toMatchObject({ responseParameters: kept })
    expect(JSON.stringify(session)).not.toContain('unnamed')
    const next = client({ responseParameters })
    expect(await next.start()).toMatchObject({ responseParameters: kept })
  })

  test('keep their value if a refresh does not return them, and change if it does [F8.13]', async () => {
    const { signedIn, as, expire } = world()
    as.moreMembers = { patient: 'p-1', instance_url: 'https://one.example' }
    const client = await signedIn({ responseParameters })
    expire()
    as.moreMembers = { instance_url: 'https://two.example' }
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
    const responded = { patient: 'p-1', instance_url: 'https://two.example' }
    expect(client.session).toMatchObject({ responseParameters: responded })
  })

  test('cannot be changed by the app [F8.13]', async () => {
    const { signedIn, as } = world()
    as.moreMembers = { context: { encounter: [1] } }
    const { session } = await signedIn({ responseParameters })
    expect(() =>
      Object.assign((session as never as { responseParameters: object }).responseParameters, { a: 1 }),
    ).toThrow()
  })

  test('are absent if the app names none or the server sends none [F8.13]', async () => {
    const { signedIn, as } = world()
    expect((await signedIn({ responseParameters })).session).not.toHaveProperty('responseParameters')
    as.moreMembers = { patient: 'p-1' }
    expect((await signedIn()).session).not.toHaveProperty('responseParameters')
  })

  test.each(['access_token', 'refresh_token', 'id_token', 'device_token', 'client_secret', 'scope', '', 1])(
    'cannot be %o [F8.13]',
    name => {
      const make = () => world().client({ responseParameters: [name as string] })
      expect(make).toThrow('"responseParameters" must be')
    },
  )
})

describe('a refresh token lifetime from the server', () => {
  test.each(['refresh_expires_in', 'refresh_token_expires_in'])(
    'that has passed (%s) makes an app that is opened days later show no session [F8.17]',
    async name => {
      const { signedIn, client, as, clock } = world()
      as.moreMembers = { [name]: 1800 }
      await signedIn()
      clock.advance(2 * 24 * 3_600_000)
      as.endSessions()
      const later = client()
      const seen: string[] = []
      later.subscribe(({ status }) => seen.push(status))
      expect(await later.start()).toEqual({ status: 'signed-out', reason: 'expired' })
      expect(seen).not.toContain('signed-in')
    },
  )

  test('that has only passed by a wrong clock does not stop the refresh: only the server ends a session [F8.17]', async () => {
    const { signedIn, client, as, clock } = world()
    as.moreMembers = { refresh_expires_in: 1800 }
    await signedIn()
    clock.advance(3_600_000)
    const later = client()
    await later.start()
    expect((await later.fetch(`${API}/me`)).status).toBe(200)
    expect(later.session.status).toBe('signed-in')
  })

  test.each([0, '0', null, 'soon', -1])(
    'of %o does not stop the app from showing the session [F8.17]',
    async lifetime => {
      const { signedIn, client, as, clock } = world()
      as.moreMembers = { refresh_expires_in: lifetime }
      await signedIn()
      clock.advance(24 * 3_600_000)
      expect(await client().start()).toMatchObject({ status: 'signed-in' })
    },
  )

  test('counts from the response that contained it [F8.17]', async () => {
    const { signedIn, client, as, clock } = world()
    as.moreMembers = { refresh_expires_in: 1800 }
    const first = await signedIn()
    clock.advance(1_000_000)
    as.failNext.push(altered({ refresh_token: undefined, refresh_expires_in: undefined }))
    await first.fetch(`${API}/me`)
    clock.advance(1_000_000)
    expect(await client().start()).toEqual({ status: 'signed-out', reason: 'expired' })
  })
})
