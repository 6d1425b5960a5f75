import { expect, onTestFinished, test } from 'vitest'
import { children } from '../support/child.ts'
import { startScriptedServer } from './scripted-server.ts'

const child = children()

// @hono/node-server 2.1 replaces the global `Response`, whose methods nobody can overwrite by an assignment: found with
// OpenAuth 0.4.3 in the process of the app
test('an app whose own server is @hono/node-server signs in and calls its API', async () => {
  const server = await startScriptedServer()
  onTestFinished(async () => {
    await server.close()
  })
  const app = child('app-on-hono', server.issuer)
  await app.ended
  expect(app.lines()).toEqual(['{"who":"alice"}'])
})
