import { afterEach, describe, expect, test } from 'vitest'
import { deviceClock } from '../../../src/platform/device.ts'
import type { HandClock } from '../../support/clock.ts'
import { createGoogle, DRIVE } from '../../support/hosted/google.ts'
import { runProgram, serveDouble } from '../../support/hosted/program.ts'
import { createSpotify } from '../../support/hosted/spotify.ts'
import type { Served } from '../../support/hosted/world.ts'
import { tempFolders } from '../../support/temp-folder.ts'

const clock = deviceClock as HandClock
const tempFolder = tempFolders()
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A user's computer with one of the examples. Runs of it share the user's home folder. */
async function computer(example: string, double: Served, env: Record<string, string>) {
  const served = await serveDouble(double)
  closing.push(served.close)
  const folder = tempFolder()
  const settings = { folder, env: { ...env, DOUBLES_URL: served.origin } }
  return {
    run: () => runProgram(`examples/providers/${example}.ts`, { ...settings, approve: double.approve }),
    runWithoutBrowser: () => runProgram(`examples/providers/${example}.ts`, settings),
  }
}

describe('the example for Google', () => {
  const credentials = { clientId: 'app.apps.googleusercontent.com', clientSecret: 'GOCSPX-secret' }
  const env = { GOOGLE_CLIENT_ID: credentials.clientId, GOOGLE_CLIENT_SECRET: credentials.clientSecret }

  test('signs in, lists files, and the next run restores the session without a browser', async () => {
    const google = createGoogle({ clock, ...credentials })
    const { run, runWithoutBrowser } = await computer('google', google, env)
    expect(await run()).toMatchObject({ code: 0, opened: 1, out: 'Travel plan\n' })
    expect(await runWithoutBrowser()).toMatchObject({ code: 0, opened: 0, out: 'Travel plan\n' })
    google.expireAccessTokens()
    expect(await runWithoutBrowser()).toMatchObject({ code: 0, opened: 0, out: 'Travel plan\n' })
  })

  test('asks again for the scope that the user did not allow', async () => {
    const { run } = await computer('google', createGoogle({ clock, ...credentials, unticked: [DRIVE] }), env)
    expect(await run()).toMatchObject({
      ...{ code: 0, opened: 2 },
      out: 'You did not allow access to Google Drive. Google asks again.\nTravel plan\n',
    })
  })

  test('names the missing credentials', async () => {
    const { runWithoutBrowser } = await computer('google', createGoogle({ clock, ...credentials }), {})
    expect(await runWithoutBrowser()).toMatchObject({
      code: 1,
      err: expect.stringContaining('Set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET.'),
    })
  })
})

describe('the example for Spotify', () => {
  const env = { SPOTIFY_CLIENT_ID: 'spotify-app' }

  test('signs in, says who the user is, and the next run restores the session without a browser', async () => {
    const spotify = createSpotify({ clock, clientId: env.SPOTIFY_CLIENT_ID })
    const { run, runWithoutBrowser } = await computer('spotify', spotify, env)
    expect(await run()).toMatchObject({ code: 0, opened: 1, out: 'You are Wizzler.\n' })
    spotify.expireAccessTokens()
    expect(await runWithoutBrowser()).toMatchObject({ code: 0, opened: 0, out: 'You are Wizzler.\n' })
    spotify.rateLimit()
    expect(await runWithoutBrowser()).toMatchObject({
      code: 1,
      err: 'Spotify answered 429: API rate limit exceeded\nTry again after 7 seconds.\n',
    })
  })
})
