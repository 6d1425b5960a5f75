import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Client, createClient, memory, type UserAgent } from '../../../src/node.ts'
import {
  anonymously,
  firebase,
  withCustomToken,
  withIdentityProvider,
  withNewUser,
  withPassword,
} from '../../../src/providers.ts'
import { nodeGuard, type ProtectOptions, protect } from '../../../src/resource-server.ts'
import { type FirebaseEmulator, startFirebaseEmulator } from '../../firebase/emulator.ts'
import { runProgram } from '../../support/hosted/program.ts'
import { jwt, testKey } from '../../support/resource-server/issuer.ts'
import { tempFolders } from '../../support/temp-folder.ts'

const tempFolder = tempFolders()
const password = 'correct horse battery staple'
const google = testKey('google', 'RS256')
const googleIdToken = jwt(
  { alg: 'RS256', kid: 'google' },
  { iss: 'https://accounts.google.com', sub: 'google-1', email: 'gina@example.com', email_verified: true },
  google.privateKey,
)

let emulator: FirebaseEmulator
let api: Server
let url: string
let settings: ProtectOptions
const clients: Client[] = []

// on a busy machine, installing its thousands of files takes a while
beforeAll(async () => {
  emulator = await startFirebaseEmulator()
  const { projectId } = emulator
  settings = {
    issuer: {
      issuer: `https://securetoken.google.com/${projectId}`,
      acceptUnsignedTokensOfEmulator: emulator.url,
    },
    audience: projectId,
    acceptAnyJwt: true,
  }
  const guard = nodeGuard(protect(settings))
  api = createServer(async (request, response) => {
    const caller = await guard(request, response)
    if (caller) response.end(JSON.stringify({ who: caller.subject, role: caller.claims.role }))
  })
  await new Promise<void>(resolve => api.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(api.address() as AddressInfo).port}/me`
}, 480_000)
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose()
})
afterAll(async () => {
  api?.closeAllConnections()
  api?.close()
  await emulator?.close()
})

const clientOf = ({ projectId, url: emulatorUrl } = emulator) => {
  const client = createClient({
    ...firebase({ projectId, apiKey: 'any-key', emulator: emulatorUrl }),
    allowedOrigins: [new URL(url).origin],
    store: memory(),
  })
  clients.push(client)
  return client
}
const signedIn = async (userAgent: UserAgent) => {
  const client = clientOf()
  await client.signIn({ userAgent })
  const { session } = client
  if (session.status !== 'signed-in') throw new Error(session.status)
  return { client, uid: String(session.claims?.sub) }
}
const requestWith = (accessToken: string) =>
  new Request(url, { headers: { authorization: `Bearer ${accessToken}` } })

describe('a sign-in at the real Auth emulator', () => {
  test.each<[string, () => UserAgent]>([
    ['a new user', () => withNewUser({ email: 'alice@example.com', password })],
    ['an e-mail address and a password', () => withPassword({ email: 'alice@example.com', password })],
    ['nothing', anonymously],
    ["Google's ID Token", () => withIdentityProvider({ providerId: 'google.com', idToken: googleIdToken })],
  ])('with %s starts a session that the API accepts, also after a refresh', async (_what, userAgent) => {
    const { client, uid } = await signedIn(userAgent())
    expect(await (await client.fetch(url)).json()).toEqual({ who: uid })
    await client.getAccessToken({ forceRefresh: true })
    expect(await (await client.fetch(url)).json()).toEqual({ who: uid })
  })

  test('with a custom token returns the claims that the server put into it', async () => {
    const custom = JSON.stringify({ uid: 'carol', claims: { role: 'editor' } })
    const { client } = await signedIn(withCustomToken(custom))
    await client.getAccessToken({ forceRefresh: true })
    expect(await (await client.fetch(url)).json()).toEqual({ who: 'carol', role: 'editor' })
  })

  test.each<[string, UserAgent]>([
    ['INVALID_PASSWORD', withPassword({ email: 'alice@example.com', password: 'another one' })],
    ['EMAIL_NOT_FOUND', withPassword({ email: 'nobody@example.com', password })],
    ['EMAIL_EXISTS', withNewUser({ email: 'alice@example.com', password })],
    ['WEAK_PASSWORD', withNewUser({ email: 'bob@example.com', password: '12345' })],
    ['INVALID_CUSTOM_TOKEN', withCustomToken('{')],
  ])('that is rejected with %s has that code as its error', async (error, userAgent) => {
    await expect(clientOf().signIn({ userAgent })).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'authorization_error',
      error,
    })
  })
})

test('the example has an API that refuses a call without a token, and accepts a user', async () => {
  const { projectId, url: address } = emulator
  const { code, out } = await runProgram('examples/providers/firebase.ts', {
    folder: tempFolder(),
    env: { FIREBASE_PROJECT_ID: projectId, FIREBASE_API_KEY: 'any-key', FIREBASE_EMULATOR: address },
  })
  expect([code, out]).toEqual([0, expect.stringMatching(/^without a token: 401\nwith one: hello \w{20,}\n$/)])
})

describe('a user of the real Auth emulator', () => {
  test.each<[string, (uid: string) => Promise<void>]>([
    [
      'is disabled',
      uid =>
        emulator.asOwner('POST', 'identitytoolkit.googleapis.com/v1/accounts:update', {
          localId: uid,
          disableUser: true,
        }),
    ],
    [
      'is deleted',
      uid => emulator.asOwner('POST', 'identitytoolkit.googleapis.com/v1/accounts:delete', { localId: uid }),
    ],
  ])('who %s is rejected by the API, and the refresh ends the session as expired', async (_what, end) => {
    const { client, uid } = await signedIn(anonymously())
    await end(uid)
    expect((await client.fetch(url)).status).toBe(401)
    expect(client.session).toEqual({ status: 'signed-out', reason: 'expired' })
  })
})

describe('an API that accepts tokens of the Auth emulator', () => {
  const claimsOf = (accessToken: string) =>
    JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())
  const unsigned = (claims: object) => jwt({ alg: 'none', typ: 'JWT' }, { ...claims }, undefined)

  test('rejects other tokens, signed or not', async () => {
    const judge = protect(settings)
    const { client } = await signedIn(anonymously())
    const token = await client.getAccessToken()
    const claims = claimsOf(token)
    const reasonOf = async (accessToken: string) => {
      const verdict = await judge(requestWith(accessToken))
      return verdict.valid ? 'valid' : verdict.reason
    }
    expect(await reasonOf(token)).toBe('valid')
    expect(await reasonOf(unsigned({ ...claims, sub: 'mallory', user_id: 'mallory' }))).toBe('inactive')
    expect(await reasonOf(unsigned({ ...claims, aud: 'demo-other' }))).toBe('wrong_audience')
    expect(await reasonOf(unsigned({ ...claims, exp: claims.iat - 60 }))).toBe('expired')
    expect(await reasonOf(unsigned({ ...claims, iss: 'https://id.example.com' }))).toBe('not_a_token')
    expect(await reasonOf(jwt({ alg: 'RS256' }, claims, google.privateKey))).toBe('wrong_algorithm')
  })

  test('rejects them without the option', async () => {
    const { client } = await signedIn(anonymously())
    const { issuer, ...others } = settings
    const judge = protect({ ...others, issuer: (issuer as { issuer: string }).issuer })
    expect(await judge(requestWith(await client.getAccessToken()))).toMatchObject({ reason: 'not_a_token' })
  })

  // the last test: no user can sign in after it
  test('accepts none while no emulator runs, and the session is kept', async () => {
    const { client } = await signedIn(anonymously())
    await emulator.close()
    expect((await client.fetch(url)).status).toBe(503)
    await expect(client.getAccessToken({ forceRefresh: true })).rejects.toMatchObject({
      code: 'ERR_NETWORK',
      retryable: true,
    })
    expect(client.session.status).toBe('signed-in')
  })
})
