import { readFileSync } from 'node:fs'
import { allowInsecureRequests, clockSkew, customFetch, validateJwtAccessToken } from 'oauth4webapi'
import { describe, expect, test } from 'vitest'
import { createProtect } from '../../../src/resource-server/protect.ts'
import { type Case, createKit, groups, type Kit, verdictTable } from '../../support/resource-server/cases.ts'
import { API, ISSUER } from '../../support/resource-server/issuer.ts'

const protectFor = ({ issuer: { fetch, clock } }: Kit) =>
  createProtect({ issuer: ISSUER, resource: API, audience: API }, { fetch, clock })

const elsewhere = ({ issuer }: Kit, request: Request) =>
  validateJwtAccessToken({ issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` }, request, API, {
    [customFetch]: (url: string, init: object) => issuer.fetch(url, init),
    [clockSkew]: Math.round((issuer.clock.now() - Date.now()) / 1000),
    [allowInsecureRequests]: true,
  }).then(
    () => 'valid',
    () => 'refused',
  )

describe.each(Object.entries(groups))('%s', (_group, cases) => {
  test.each(cases as Case[])('$name: $expected', async ({ expected, make }) => {
    const kit = createKit()
    const { request, requirements } = make(kit)
    const verdict = await protectFor(kit)(request, requirements)
    expect(verdict.valid ? 'valid' : verdict.reason).toBe(expected)
    const token = /\S{20,}$/.exec(request.headers.get('authorization') ?? '')?.[0]
    if (token) expect(JSON.stringify(verdict)).not.toContain(token)
  })

  test.each(cases as Case[])('$name: oauth4webapi says the same, or the table says why not', async one => {
    const kit = createKit()
    const { request } = one.make(kit)
    const ours = one.expected === 'valid' ? 'valid' : 'refused'
    expect(await elsewhere(kit, request)).toBe(one.elsewhere?.verdict ?? ours)
  })
})

test('docs/resource-server.md contains the table of these verdicts', () => {
  const text = readFileSync(new URL('../../../docs/resource-server.md', import.meta.url), 'utf8')
  expect(text.split('<!-- verdicts -->\n')[1]?.split('\n<!-- /verdicts -->')[0]).toBe(
    ['| request | verdict | oauth4webapi | mod_oauth2 |', '| --- | --- | --- | --- |', verdictTable()].join(
      '\n',
    ),
  )
})
