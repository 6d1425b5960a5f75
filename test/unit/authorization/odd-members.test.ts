import { expect, test } from 'vitest'
import { namedBy } from '../../../src/authorization/id-token.ts'
import { endpointOf } from '../../../src/authorization/metadata.ts'
import { ConfigurationError } from '../../../src/errors.ts'

const noText = { toString: 1, valueOf: null }

test('an endpoint that cannot be converted to a string is rejected as an invalid URL', () => {
  const server = { issuer: 'https://id.example.com', token_endpoint: noText as unknown as string }
  expect(() => endpointOf(server, 'token_endpoint')).toThrow(ConfigurationError)
})

test('a tenant that cannot be converted to a string matches no issuer', () => {
  const as = { issuer: 'https://id.example.com/{tenantid}' }
  const claims = btoa(JSON.stringify({ iss: 'https://id.example.com/x', tid: noText }))
  expect(namedBy(as, `e30.${claims}.`, () => {})).toBe(as)
})
