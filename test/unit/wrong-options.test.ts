import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../src/errors.ts'
import { createClient as inBrowsers } from '../../src/index.ts'
import { createClient as inNode } from '../../src/node.ts'

const good = {
  issuer: 'https://id.example.com',
  clientId: 'app',
  redirectUri: 'https://app.example.com/callback',
  allowedOrigins: ['https://api.example.com'],
}

describe.each([
  ['latchkey', inBrowsers],
  ['latchkey/node', inNode],
])('createClient() of %s', (_entry, createClient) => {
  test.each<[string, object, string]>([
    ['no issuer', { issuer: undefined }, '"issuer"'],
    ['an issuer that is no URL', { issuer: 'nonsense' }, '"issuer"'],
    ['no clientId', { clientId: undefined }, '"clientId"'],
    ['an extension that is no function', { extensions: ['dpop'] }, '"extensions"'],
    ['a provider that is no function', { provider: 'google' }, '"provider"'],
    ['no origins', { allowedOrigins: undefined }, '"allowedOrigins"'],
    ['a resource that is no URL', { resources: { notes: { scope: 'read' } } }, '"resources["notes"]"'],
  ])('rejects %s by naming the option, before anything is made of the others', (_what, change, option) => {
    const create = () => createClient({ ...good, ...change } as typeof good)
    expect(create).toThrow(ConfigurationError)
    expect(create).toThrow(option)
  })
})
