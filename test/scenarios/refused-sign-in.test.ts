import { describe, expect, test } from 'vitest'
import { clientSecretBasic } from '../../src/extensions/client-authentication.ts'
import { altered, oauthError } from '../support/faults.ts'
import { leaving, pageAt } from '../support/leaving.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

/** A page that is opened with an authorization response that refuses the sign-in. */
async function refused(parameters: Record<string, string>, change = (_url: URL) => {}) {
  const here = world()
  const away = leaving(here.as)
  await here.client({ userAgent: away.userAgent }).signIn()
  const answer = new URL(away.callbacks[0] as string)
  answer.searchParams.delete('code')
  for (const [name, value] of Object.entries(parameters)) answer.searchParams.set(name, value)
  change(answer)
  const client = here.client({ page: pageAt(answer.href) })
  return { client, error: await client.start().catch((thrown: unknown) => thrown) }
}

const VERIFY = { error: 'access_denied', error_description: 'Verify your e-mail address first.' }

describe("the server's explanation of a refusal", () => {
  test('is on the error, with its page, in the message, and in explain() [F8.1, F4.10]', async () => {
    const { client, error } = await refused({ ...VERIFY, error_uri: 'https://id.example.com/help?a=b' })
    expect(error).toMatchObject({
      reason: 'authorization_error',
      error: 'access_denied',
      errorDescription: VERIFY.error_description,
      errorUri: 'https://id.example.com/help?a=b',
      message:
        'The sign-in was refused: access_denied (Verify your e-mail address first.). The user or a policy of the server denied the request. Offer sign-in again.',
    })
    expect(client.explain().events).toContainEqual(
      expect.objectContaining({
        type: 'authorization-error',
        error: 'access_denied',
        errorDescription: VERIFY.error_description,
      }),
    )
  })

  test.each(['javascript:alert(1)', 'http://id.example.com/', '/help', 'https://id.example.com/ü', ''])(
    'has no page if error_uri is %j [F8.1]',
    async uri => {
      expect((await refused({ ...VERIFY, error_uri: uri })).error).toMatchObject({ errorUri: undefined })
    },
  )

  test.each([
    ['another issuer', (url: URL) => url.searchParams.set('iss', 'https://evil.example')],
    ['an unknown state', (url: URL) => url.searchParams.set('state', 'lk.unknown')],
  ])('is not shown if it arrives with %s [F8.1, F4.10]', async (_what, change) => {
    const { client, error } = await refused(VERIFY, change)
    expect(error).toMatchObject({ code: 'ERR_CALLBACK', errorDescription: undefined })
    const shown = `${(error as Error).message} ${JSON.stringify([{ ...(error as object) }, client.explain()])}`
    expect(shown).not.toContain('Verify')
  })

  test('of a code is on the error too [F8.1]', async () => {
    const here = world()
    here.as.failNext.push(oauthError('invalid_grant'))
    const client = here.client()
    const error = await client.signIn().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ error: 'invalid_grant', errorDescription: 'because of invalid_grant' })
    expect(client.told).toContainEqual(
      expect.objectContaining({ type: 'token-error', errorDescription: 'because of invalid_grant' }),
    )
  })
})

describe('the message of a refused sign-in says what to do next', () => {
  test.each([
    ['invalid_scope', 'Correct "scope"'],
    ['invalid_request', 'Compare "redirectUri"'],
    ['unauthorized_client', 'Enable the grant types'],
    ['login_required', 'without prompt=none'],
    ['temporarily_unavailable', 'Try again later.'],
    ['some_other_error', "See the server's log."],
  ])('after %s [F4.10]', async (name, advice) => {
    const { error } = await refused({ error: name })
    expect((error as Error).message).toContain(`The sign-in was refused: ${name}. `)
    expect((error as Error).message).toContain(advice)
  })

  test('after a response without the ID Token that the default scope requests [F4.10]', async () => {
    const here = world()
    for (const idToken of [undefined, null, '']) {
      here.as.failNext.push(altered({ id_token: idToken }))
      await expect(here.client().signIn()).rejects.toMatchObject({
        reason: 'invalid_response',
        message: expect.stringContaining('set a "scope" without "openid"'),
      })
    }
  })

  test('after a secret that the server may have read undecoded [F4.10]', async () => {
    const here = world({ isClient: () => false })
    const client = here.client({ clientAuthentication: clientSecretBasic('a+b') })
    await expect(client.signIn()).rejects.toMatchObject({
      error: 'invalid_client',
      message: expect.stringContaining('try clientSecretPost()'),
    })
  })

  test('after a code that was used twice, without claiming an attack; no message addresses the user [F4.15]', async () => {
    const here = world()
    here.as.failNext.push(oauthError('invalid_grant'))
    const error = (await here
      .client()
      .signIn()
      .catch((thrown: unknown) => thrown)) as Error
    expect(error.message).toContain(
      'The code or refresh token was already used, has expired, or belongs to another sign-in, client or redirect URI. Sign in again.',
    )
    expect(error.message).not.toMatch(/stolen|signIn\(\)/)
  })
})
