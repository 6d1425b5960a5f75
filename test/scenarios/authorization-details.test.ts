import { describe, expect, test } from 'vitest'
import { parseCallback } from '../../src/core/callback.ts'
import { authorizationDetails, grantedAuthorizationDetails } from '../../src/extensions/rar.ts'
import { oauthError } from '../support/faults.ts'
import { leaving } from '../support/leaving.ts'
import { API } from '../support/strict-api.ts'
import { type World, worlds } from '../support/world.ts'

const world = worlds()
const ACCOUNT = { type: 'account_information', actions: ['read'], locations: ['https://bank.example'] }
const PAYMENT = { type: 'payment_initiation', amount: { currency: 'EUR', value: '3.50' } }
const extensions = [authorizationDetails([ACCOUNT, PAYMENT])]
const grant = (here: World, ...details: object[]) => {
  here.as.moreMembers = { authorization_details: details }
}
const warnings = ({ told }: Awaited<ReturnType<World['signedIn']>>) =>
  told.filter(event => event.type === 'warning' && event.about === 'authorization_details')
/** Events are delivered in a later task. */
const turn = () => new Promise(resolve => setImmediate(resolve))

describe('authorization details', () => {
  test('are requested at the sign-in, and the granted ones can be read, also after a reload [PX06]', async () => {
    const here = world()
    // the same, whatever the order
    grant(here, { amount: { value: '3.50', currency: 'EUR' }, type: 'payment_initiation' }, ACCOUNT)
    const away = leaving(here.as)
    const client = here.client({ extensions, userAgent: away.userAgent })
    await client.signIn()
    expect(await grantedAuthorizationDetails(client)).toBeUndefined()
    await client.handleCallback(away.callbacks[0] as string)
    expect(JSON.parse(away.requests[0]?.get('authorization_details') ?? '')).toEqual([ACCOUNT, PAYMENT])
    const reloaded = here.client({ extensions })
    for (const one of [client, reloaded]) {
      const granted = await grantedAuthorizationDetails(one)
      expect(granted).toEqual([PAYMENT, ACCOUNT])
      ;(granted as object[]).pop() // belongs to the caller
    }
    expect(await grantedAuthorizationDetails(reloaded)).toHaveLength(2)
    await turn()
    expect(warnings(client)).toEqual([])
    await client.signOut()
    expect(await grantedAuthorizationDetails(client)).toBeUndefined()
  })

  test('that were enriched or omitted cause one warning and are stored as granted [PX06]', async () => {
    const here = world()
    grant(here, { ...ACCOUNT, accounts: ['DE1'] })
    const client = await here.signedIn({ extensions })
    await turn()
    expect(warnings(client)).toHaveLength(1)
    const [{ message }] = warnings(client) as unknown as [{ message: string }]
    expect(message).toContain('not as asked account_information, payment_initiation')
    expect(message).toContain('added or changed account_information')
    expect(message).not.toContain('DE1')
    expect(await grantedAuthorizationDetails(client)).toEqual([{ ...ACCOUNT, accounts: ['DE1'] }])
    here.expire()
    await client.fetch(`${API}/me`)
    await turn()
    expect(warnings(client)).toHaveLength(1)
    // a refresh that does not mention them changes nothing; a refresh that adds some is reported
    here.as.moreMembers = {}
    here.expire()
    await client.fetch(`${API}/me`)
    expect(await grantedAuthorizationDetails(client)).toHaveLength(1)
    grant(here, { ...ACCOUNT, accounts: ['DE1'] }, PAYMENT)
    here.expire()
    await client.fetch(`${API}/me`)
    await turn()
    expect(warnings(client)).toHaveLength(2)
  })

  test.each([
    ['nothing', {}],
    ['a text', { authorization_details: 'all' }],
    ['a list of invalid entries', { authorization_details: [1, null] }],
  ])(
    'for which the response contains %s cause a warning, and the session starts [PX06]',
    async (_, members) => {
      const here = world()
      here.as.moreMembers = members
      const client = await here.signedIn({ extensions })
      await turn()
      expect(client.session.status).toBe('signed-in')
      expect(warnings(client)).toHaveLength(1)
      expect((await grantedAuthorizationDetails(client)) ?? []).toEqual([])
    },
  )

  test("of one sign-in replace the app's own and are compared after a reload", async () => {
    const here = world()
    grant(here, PAYMENT)
    const away = leaving(here.as)
    const parameters = { authorization_details: JSON.stringify([PAYMENT]) }
    const app = { extensions: [authorizationDetails([ACCOUNT])], userAgent: away.userAgent }
    await here.client(app).signIn({ authorizationParameters: parameters })
    const reloaded = here.client(app)
    await reloaded.handleCallback(away.callbacks[0] as string)
    await turn()
    expect(away.requests[0]?.getAll('authorization_details')).toEqual([parameters.authorization_details])
    expect(warnings(reloaded)).toEqual([])
    expect(await grantedAuthorizationDetails(reloaded)).toEqual([PAYMENT])
  })

  test('are also sent in token requests if the app asks for it', async () => {
    const here = world()
    grant(here, ACCOUNT)
    const bodies: URLSearchParams[] = []
    const client = await here.signedIn({
      extensions: [authorizationDetails([ACCOUNT], { tokenRequests: true })],
      resources: { [`${API}/notes`]: { resource: 'urn:notes' } },
      fetch: (input, init) => {
        if (String(input).endsWith('/token')) bodies.push(new URLSearchParams(String(init?.body)))
        return here.fetch(input, init)
      },
    })
    await client.fetch(`${API}/notes/me`)
    expect(bodies.map(body => [body.get('grant_type'), body.get('resource')])).toEqual([
      ['authorization_code', null],
      ['refresh_token', 'urn:notes'],
    ])
    for (const body of bodies) expect(body.get('authorization_details')).toBe(JSON.stringify([ACCOUNT]))
    expect(await grantedAuthorizationDetails(client, { resource: `${API}/notes/` })).toEqual([ACCOUNT])
  })

  test('that the server metadata does not list are rejected before anything is sent', async () => {
    const here = world()
    Object.assign(here.as.metadata, { authorization_details_types_supported: ['account_information'] })
    await expect(here.signedIn({ extensions })).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
      message: expect.stringContaining('payment_initiation'),
    })
  })

  test('that are not a list of objects with a type are rejected at creation', () => {
    for (const wrong of [[], [{}], [{ type: '' }], {}, 'all', undefined]) {
      expect(() => authorizationDetails(wrong as never)).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIGURATION' }),
      )
    }
  })

  test('that are not a list are also rejected at a sign-in', async () => {
    const client = world().client({ extensions })
    const authorizationParameters = { authorization_details: '{"type":1' }
    await expect(client.signIn({ authorizationParameters })).rejects.toMatchObject({
      code: 'ERR_CONFIGURATION',
    })
  })

  test('that the server rejects cause a typed error at the callback and leave the session unchanged [PX07]', async () => {
    const here = world()
    const client = await here.signedIn()
    const away = leaving(here.as)
    await client.signIn({ userAgent: away.userAgent })
    const callback = new URL(away.callbacks[0] as string)
    callback.searchParams.delete('code')
    callback.searchParams.set('error', 'invalid_authorization_details')
    expect(parseCallback(callback)).toBeDefined()
    await expect(client.handleCallback(callback)).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      reason: 'authorization_error',
      error: 'invalid_authorization_details',
    })
    expect(client.session.status).toBe('signed-in')
  })

  test('that the token endpoint rejects cause a typed error [PX07]', async () => {
    const here = world()
    here.as.failNext.push(oauthError('invalid_authorization_details'))
    await expect(here.signedIn({ extensions })).rejects.toMatchObject({
      code: 'ERR_CALLBACK',
      error: 'invalid_authorization_details',
    })
  })
})
