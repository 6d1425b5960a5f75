import { expect, test } from 'vitest'
import { leaving, pageAt } from '../support/leaving.ts'
import { worlds } from '../support/world.ts'

const world = worlds()
const HOME = 'https://app.example.com/'

test('with a hash router, a sign-in by redirect returns to the route that it began at [F8.18]', async () => {
  const here = world()
  const away = leaving(here.as)
  const route = `${HOME}#/notes/7?sort=date`
  const before = pageAt(route)
  await here.client({ page: before, userAgent: away.userAgent }).signIn({ returnTo: before.location() })

  const callback = pageAt(away.callbacks[0] as string)
  const shown: string[] = []
  const client = here.client({ page: callback, navigate: path => shown.push(path) })
  expect(await client.start()).toMatchObject({ status: 'signed-in' })
  expect(shown).toEqual(['/#/notes/7?sort=date'])
})

test('with a hash router that adds its own fragment to the callback, the sign-in is completed [F8.18]', async () => {
  const here = world()
  const away = leaving(here.as)
  await here.client({ page: pageAt(HOME), userAgent: away.userAgent }).signIn({ returnTo: `${HOME}#/notes` })
  const callback = pageAt(`${away.callbacks[0]}#/`)
  expect(await here.client({ page: callback }).start()).toMatchObject({ status: 'signed-in' })
  expect(callback.location()).toBe(`${HOME}#/notes`)
})

test('a page or program that passes the answer on signs in by handleCallback() [F8.18]', async () => {
  const here = world()
  const away = leaving(here.as)
  const client = here.client({ page: pageAt(HOME), userAgent: away.userAgent })
  await client.signIn()
  // what the relay at the redirect URI was called with, handed on by a deep link
  const handedOn = new URL('com.example.app://signed-in')
  handedOn.search = new URLSearchParams({ from: away.callbacks[0] as string }).toString()
  const from = handedOn.searchParams.get('from') as string
  expect(await client.handleCallback(from)).toMatchObject({ handled: true })
  expect(client.session).toMatchObject({ status: 'signed-in' })
  expect(await client.handleCallback('https://app.example.com/other?code=a&state=theirs')).toMatchObject({
    handled: false,
  })
})
