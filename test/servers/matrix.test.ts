import { expect, test } from 'vitest'
import { ME, servers } from './scripted-server.ts'

test("at every server of the matrix the app signs in, or its message's advice is followed and then it does [F8.15]", () => {
  const unfollowed = servers.filter(({ shows, followed, mended }) => shows !== ME && !followed && !mended)
  expect(unfollowed.map(({ name }) => name)).toEqual([])
  expect(new Set(servers.map(({ name }) => name)).size).toBe(servers.length)
})
