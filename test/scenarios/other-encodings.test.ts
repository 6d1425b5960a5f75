import { describe, expect, test } from 'vitest'
import { LatchkeyError } from '../../src/errors.ts'
import type { Fault } from '../support/faults.ts'
import { API } from '../support/strict-api.ts'
import { worlds } from '../support/world.ts'

const world = worlds()

const latin1 = (text: string) => Uint8Array.from(text, character => character.charCodeAt(0) & 0xff)
const utf16 = (text: string, isBig = false) => {
  const bytes = new Uint8Array(2 + 2 * text.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 0xfeff, !isBig)
  for (let at = 0; at < text.length; at++) view.setUint16(2 + 2 * at, text.charCodeAt(at), !isBig)
  return bytes
}

const encodings: [string, string, (text: string) => Uint8Array<ArrayBuffer>][] = [
  ['UTF-16', 'application/json; charset=utf-16', utf16],
  ['UTF-16 in the other byte order', 'application/json', text => utf16(text, true)],
  ['UTF-7 by its label', 'application/json; charset=utf-7', latin1],
  ['Latin-1', 'application/json; charset=iso-8859-1', text => latin1(text.replace('{', '{"from":"Zürich",'))],
  ['bytes that are not text', 'application/json', () => Uint8Array.of(0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80)],
  ['half a character', 'application/json', text => latin1(text.replace('{', '{"from":"\u00c3",'))],
  ['half a surrogate', 'application/json', text => latin1(text.replace('{', '{"from":"\\ud800",'))],
]
const encoded = (type: string, encode: (text: string) => Uint8Array<ArrayBuffer>, code = 200): Fault => ({
  afterWork: true,
  answer: async real =>
    new Response(encode((await real?.text()) ?? '{}'), { status: code, headers: { 'content-type': type } }),
})

describe.each(encodings)('a response in %s', (_what, type, encode) => {
  test('to a refresh is read with replacement characters or rejected with a typed error, and the session is kept [F9.4]', async () => {
    const { as, signedIn, expire, clock } = world({ graceMs: 1e12 })
    const client = await signedIn()
    expire()
    as.failNext.push(encoded(type, encode))
    const end = await client.fetch(`${API}/me`).catch((error: unknown) => error)
    expect(end instanceof Response ? end.status : end).toSatisfy(
      (told: unknown) => told === 200 || told instanceof LatchkeyError,
    )
    expect(client.session.status).toBe('signed-in')
    clock.advance(60_000)
    expect((await client.fetch(`${API}/me`)).status).toBe(200)
  })

  test('to a sign-in, for its metadata or its keys, is read or rejected with a typed error [F9.4]', async () => {
    for (const place of ['failNext', 'failMetadata', 'failKeys'] as const) {
      const { as, client, stored } = world()
      const real = place === 'failMetadata' ? Response.json(as.metadata) : undefined
      const fault = encoded(type, encode)
      as[place].push({ ...fault, answer: answer => fault.answer(answer ?? real) })
      const one = client()
      const end = await one.signIn().catch((error: unknown) => error)
      if (one.session.status === 'signed-in') expect(await stored()).toHaveLength(1)
      else expect(end).toBeInstanceOf(LatchkeyError)
    }
  })

  test('that is an error is reported with a printable code [F9.4]', async () => {
    const { as, signedIn, expire } = world()
    const client = await signedIn()
    expire()
    const text = '{"error":"nonsense","error_description":"Zürich"}'
    as.failNext.push(encoded(type, () => encode(text), 400))
    const error = await client.fetch(`${API}/me`).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(LatchkeyError)
    const { message, errorDescription = '' } = error as LatchkeyError & { errorDescription?: string }
    expect(message + errorDescription).toMatch(/^[ -~]+$/)
  })
})

test('a callback whose error is not in UTF-8 is reported in printable characters [F9.4]', async () => {
  const here = world()
  const client = here.client({
    userAgent: {
      name: 'test',
      begin: redirectUri => ({
        redirectUri,
        authorize: async (_url, state) =>
          `${redirectUri}?error=access_denied&error_description=Z%FCrich%&state=${state}&iss=${here.as.issuer}`,
        close() {},
      }),
    },
  })
  await expect(client.signIn()).rejects.toMatchObject({
    code: 'ERR_CALLBACK',
    error: 'access_denied',
    message: expect.stringMatching(/^[ -~]+$/),
  })
})

test('a sub that is not ASCII in a refreshed ID Token with failing checks is compared as written [F9.4]', async () => {
  const { as, signedIn, expire } = world()
  as.idTokenClaims = { preferred_username: 'Jürgen' }
  const client = await signedIn()
  as.idTokenClaims = { sub: 'Jürgen' }
  expire()
  await expect(client.fetch(`${API}/me`)).rejects.toMatchObject({ reason: 'subject_changed' })
})
