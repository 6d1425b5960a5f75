import { expect, test } from 'vitest'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

test('explain() returns the history as JSON without secrets', async () => {
  const { as, signedIn, expire } = world()
  const one = await signedIn()
  expire()
  await one.fetch(`${API}/me`)
  as.endSessions()
  expire()
  await expect(one.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'expired' })

  const told = JSON.stringify(one.explain())
  const { session, events } = JSON.parse(told) as ReturnType<typeof one.explain>
  expect(session).toEqual({ status: 'signed-out', reason: 'expired' })
  expect(events.map(({ type }) => type)).toEqual(
    expect.arrayContaining([
      'token-request',
      'token-response',
      'api-request',
      'token-error',
      'session-ended',
    ]),
  )
  for (const secret of as.secrets) expect(told).not.toContain(secret)
})

test('explain() names the context whose refresh was adopted', async () => {
  const { client, signedIn, expire } = world()
  const one = await signedIn()
  const two = client()
  await two.start()
  expire()
  await Promise.all([one.fetch(`${API}/me`), two.fetch(`${API}/me`)])
  const adopted = [one, two].flatMap(each => each.told).filter(event => event.type === 'tokens-adopted')
  const contexts = [one, two].map(each => each.explain().context)
  expect(new Set(contexts).size).toBe(2)
  expect(contexts).toEqual(expect.arrayContaining(adopted.map(event => event.from)))
  expect(adopted).toHaveLength(1)
})

test('explain() names the context that refreshed, also in a client that only heard of it', async () => {
  const { client, signedIn, expire } = world()
  const one = await signedIn()
  const two = client()
  await two.start()
  const adopted = () => two.explain().events.filter(event => event.type === 'tokens-adopted')
  for (let refresh = 1; refresh <= 2; refresh++) {
    expire()
    await one.fetch(`${API}/me`)
    await expect.poll(adopted).toHaveLength(refresh)
  }
  expect(adopted().map(({ from }) => from)).toEqual(Array(2).fill(one.explain().context))
  expect(one.types()).not.toContain('tokens-adopted')
})

test('explain() keeps the newest two hundred events', async () => {
  const { signedIn } = world()
  const one = await signedIn()
  for (let call = 0; call < 150; call++) await one.fetch(`${API}/me`)
  const { events } = one.explain()
  expect(events).toHaveLength(200)
  expect(events.at(-1)).toMatchObject({ type: 'api-response', status: 200 })
})
