import { describe, expect, test } from 'vitest'
import { type SessionRecord, type Stored, sessionOf } from '../../../src/core/session.ts'
import { createAccess } from '../../../src/session/access.ts'
import type { LiveSessionPorts } from '../../../src/session/ports.ts'
import { createView } from '../../../src/session/view.ts'

const NOW = 1_000_000

/** A client's view and access tokens over what it has read from the store. */
function client() {
  const held: { stored: Stored; read: Stored } = { stored: undefined, read: undefined }
  const records = {
    get stored() {
      return held.stored
    },
    get current() {
      return sessionOf(held.stored)
    },
  } as LiveSessionPorts['records']
  const view = createView({ emit: () => {}, sessionLost: { emit: () => {} } as never, realm: 'here' })
  const show = () => view.move({ type: 'stored', stored: held.stored, now: NOW })
  /** Reads the store under the lock, and finds that another client was first. */
  const refresh = async () => {
    held.stored = held.read
  }
  const ports = { records, now: () => NOW, authorization: { get: async () => ({ refresh }) } }
  return { held, view, show, ...createAccess(ports as never, { view, show }) }
}

const session: SessionRecord = {
  ...{ schema: 1, sessionId: 'new', version: 1, epoch: 1 },
  tokens: { accessToken: 'access-1', scope: 'read', claims: { sub: 'alice' } as never },
}

test('a call gets the token of a session that was read after the sign-out of another page, and is not shown yet', async () => {
  const { held, view, show, acquire } = client()
  held.stored = { schema: 1, ended: 'signed_out', sessionId: 'old', epoch: 1, leavingUntil: NOW + 5000 }
  show()
  expect(view.state.status).toBe('signing-out')
  held.stored = session
  expect(await acquire({ sessionId: 'new' })).toBe('access-1')
})

test("a call during this page's own sign-out is rejected, though the store still holds the session", async () => {
  const { held, view, show, acquire } = client()
  held.stored = session
  show()
  view.move({ type: 'sign-out-began' })
  await expect(acquire()).rejects.toMatchObject({ reason: 'signed_out' })
})

describe.each<[string, Stored]>([
  ['replaced', { ...session, sessionId: 'another', tokens: { accessToken: 'access-2', scope: 'read' } }],
  ['expired', { schema: 1, ended: 'expired', sessionId: 'new', epoch: 1 }],
])('a call whose session was %s in the store', (reason, found) => {
  test('is rejected for that reason, and no earlier than the app sees it', async () => {
    const { held, view, show, acquire } = client()
    held.stored = session
    show()
    held.stored = found
    await expect(acquire({ sessionId: 'new' })).rejects.toMatchObject({ reason })
    expect(view.session).not.toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  })

  test('is rejected in the same way if its refresh reads that', async () => {
    const { held, view, show, acquire } = client()
    held.stored = { ...session, tokens: { ...session.tokens, refreshToken: 'refresh-1', expiresAt: NOW - 1 } }
    show()
    held.read = found
    await expect(acquire({ sessionId: 'new' })).rejects.toMatchObject({ reason })
    expect(view.session).not.toMatchObject({ status: 'signed-in', claims: { sub: 'alice' } })
  })
})
