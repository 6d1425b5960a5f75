import { dpop } from 'latchkey/dpop'
import { expect, test } from 'vitest'
import { leaving } from '../support/leaving.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test("at most twenty keys of abandoned sign-ins are kept, plus the session's key [F5.7, F5.4]", async () => {
  const here = world()
  const away = leaving(here.as)
  const client = here.client({ extensions: [dpop()], userAgent: away.userAgent })
  for (let round = 0; round < 30; round++) {
    await client.signIn()
    here.clock.advance(20_000) // no loop
  }
  expect(await here.store.keyValue.keys(`latchkey ${here.as.issuer} ${here.as.clientId} dpop `)).toHaveLength(
    20,
  )
  await client.signOut()
  expect(await here.store.keyValue.keys(`latchkey ${here.as.issuer} ${here.as.clientId} dpop `)).toEqual([])
})

test('a disposed client closes its store and whatever its extensions opened, and can be used again [F5.7]', async () => {
  const here = world()
  const closed: string[] = []
  const store = { ...here.store, close: () => closed.push('store') }
  const client = await here.signedIn({
    store,
    extensions: [() => ({ close: () => void closed.push('extension') })],
  })
  client.dispose()
  expect(closed.sort()).toEqual(['extension', 'store'])
  expect(here.clock.waiting).toBe(0)
  expect(await client.start()).toMatchObject({ status: 'signed-in' })
})
