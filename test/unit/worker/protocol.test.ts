import { expect, test } from 'vitest'
import { github } from '../../../src/providers.ts'
import { sendable, unsendableNames } from '../../../src/worker/protocol.ts'

test('a page whose options come from a provider sends its worker all options that are not functions', () => {
  const options = {
    ...github({ clientId: 'my-app', clientSecret: 's' }),
    redirectUri: '/callback',
    store: {},
    fetch: globalThis.fetch,
  }
  const sent = sendable(options, 'https://app.example.com/')
  expect(sent).toMatchObject({ clientId: 'my-app', redirectUri: 'https://app.example.com/callback' })
  expect(sent).not.toHaveProperty('store')
})

test('a page names its function options, which the worker must supply', () => {
  const options = {
    ...github({ clientId: 'my-app', clientSecret: 's' }),
    fetch: undefined,
    extensions: [() => ({})],
  }
  expect(unsendableNames(options)).toEqual(['clientAuthentication', 'extensions(1)', 'provider'])
})
