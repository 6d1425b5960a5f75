import fc from 'fast-check'
import { judgeAnswer, parseChallenges } from '../../src/core/challenge.ts'
import { createBend } from '../../src/core/quirks.ts'
import { LatchkeyError } from '../../src/errors.ts'
import { parseJson, readMembers, readTokenAnswer } from '../../src/flow/answer.ts'
import { parseCallback } from '../../src/flow/callback.ts'
import { cleanUrl } from '../../src/flow/clean-url.ts'
import { retryAfterMs } from '../../src/flow/failure.ts'
import { createTransactions } from '../../src/flow/transaction.ts'
import { memoryKeyValue } from '../../src/store/memory.ts'
import { parseRecord } from '../../src/store/record.ts'
import { type HandClock, handClock } from '../support/clock.ts'
import { answer, mutatedJson, mutatedJwt } from './arbitraries.ts'
import { claims, hostileWorld, jwks, METADATA, signed, TOKENS } from './hostile-server.ts'

export interface Property {
  readonly name: string
  /** One run of it costs as much as so many of a parser alone. */
  readonly cost: number
  make(): fc.IAsyncProperty<[unknown]> | Promise<fc.IAsyncProperty<[unknown]>>
}

const HANG_MS = 20_000

const isPolluted = () => Object.keys(Object.prototype).length > 0 || 'polluted' in {}

const must = (holds: unknown, what: string) => {
  if (!holds) throw new Error(what)
}

/** The outcome of what may only end with a value or a typed error, in time, and leaves Object.prototype as it is. */
async function outcome<T>(work: () => T | Promise<T>): Promise<T | LatchkeyError> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('It hangs.')), HANG_MS)
  })
  try {
    return await Promise.race([(async () => work())(), hang])
  } catch (error) {
    if (error instanceof LatchkeyError) return error
    throw error
  } finally {
    clearTimeout(timer)
    must(!isPolluted(), 'Object.prototype is polluted.')
  }
}

/** The same for a client's call, which may have to wait: time passes as soon as nothing else happens. */
async function settled<T>(clock: HandClock, work: () => Promise<T>): Promise<T | LatchkeyError> {
  let isOver = false
  const end = outcome(work).finally(() => {
    isOver = true
  })
  for (let step = 0; !isOver && step < 200; step++) {
    await Promise.race([end.catch(() => {}), new Promise(resolve => setTimeout(resolve, 20))])
    if (!isOver) clock.advance(500)
  }
  return end
}

const parser = <T>(name: string, input: fc.Arbitrary<T>, read: (value: T) => unknown): Property => ({
  name,
  cost: 1,
  make: () =>
    fc.asyncProperty(
      input as fc.Arbitrary<unknown>,
      async value => void (await outcome(() => read(value as T))),
    ),
})

const lenient = createBend(
  new Set(['any_content_type', 'missing_token_type', 'token_status_201'] as const),
  () => {},
)
const strict = createBend(new Set(), () => {})

const parsers: Property[] = [
  {
    name: 'JSON is read as JSON.parse reads it, or refused',
    cost: 1,
    make: () =>
      fc.asyncProperty(mutatedJson(TOKENS) as fc.Arbitrary<unknown>, async value => {
        const text = value as string
        try {
          const read = parseJson(text)
          must(JSON.stringify(read) === JSON.stringify(JSON.parse(text)), 'It was read in another way.')
        } catch (error) {
          must(error instanceof LatchkeyError || error instanceof SyntaxError, `An untyped error: ${error}`)
        }
        must(!isPolluted(), 'Object.prototype is polluted.')
      }),
  },
  parser('an answer is read or refused', answer(METADATA), one => readMembers(one(), strict)),
  parser('a token answer is read or refused', answer(TOKENS), one => readTokenAnswer(one(), strict, false)),
  parser('a token answer is read or refused, with quirks, at a refresh', answer(TOKENS), one =>
    readTokenAnswer(one(), lenient, true),
  ),
  parser(
    'a challenge is judged',
    fc.tuple(fc.integer({ min: 400, max: 403 }), fc.string({ unit: 'binary' })),
    input => {
      parseChallenges(input[1])
      judgeAnswer(...input)
    },
  ),
  parser(
    'a callback is told apart and cleaned',
    fc.tuple(fc.constantFrom('?code=1&state=lk.redirect.x.y&', '#', '?', ''), fc.string({ unit: 'binary' })),
    ([begin, rest]) => {
      const address = `https://app.example.com/callback${begin}${rest}`
      const callback = parseCallback(address)
      if (!callback) return
      const clean = new URL(cleanUrl(callback.url))
      for (const name of ['code', 'state', 'iss', 'access_token']) {
        must(!new RegExp(`[?&]${name}=`).test(clean.search), `${name} stays in ${clean}`)
      }
    },
  ),
  parser(
    'a stored record is whole or none',
    fc.oneof(
      fc.anything(),
      mutatedJson({ schema: 1, sessionId: 's', version: 1, tokens: { accessToken: 'a', scope: '' } }).map(
        text => {
          try {
            return JSON.parse(text)
          } catch {
            return text
          }
        },
      ),
    ),
    value => {
      const record = parseRecord(value)
      if (!record) return
      must(
        typeof record.sessionId === 'string' && typeof record.tokens.accessToken === 'string',
        'It is not whole.',
      )
    },
  ),
  parser('a stored transaction is found or not', fc.anything(), async value => {
    const place = memoryKeyValue()
    await place.update('t x', () => value)
    const transactions = createTransactions(place, 't ', handClock())
    await transactions.find('x')
    await transactions.all()
  }),
  parser(
    'Retry-After is a wait of an hour at most, or none',
    fc.string({ unit: 'grapheme-ascii' }),
    value => {
      const headers = new Headers()
      headers.set('retry-after', value.replace(/[^ -~]/g, ''))
      const wait = retryAfterMs(new Response(null, { headers }), Date.now())
      must(wait === undefined || (wait >= 0 && wait <= 3_600_000), `It waits ${wait}.`)
    },
  ),
]

const clients: Property[] = [
  {
    name: 'a refresh that meets anything keeps the session, and the next one works',
    cost: 20,
    make: () =>
      fc.asyncProperty(answer(TOKENS) as fc.Arbitrary<unknown>, async value => {
        let hostile: (() => Response) | undefined
        const { client, clock, record } = hostileWorld({ tokens: () => hostile?.() ?? Response.json(TOKENS) })
        await client.signIn()
        clock.advance(301_000)
        hostile = value as () => Response
        const first = await settled(clock, () => client.getAccessToken())
        hostile = undefined
        clock.advance(4_000_000)
        const isOver = first instanceof LatchkeyError && first.code === 'ERR_AUTHORIZATION_REQUIRED'
        if (!isOver) {
          must(client.session.status === 'signed-in' && (await record()), 'The session is lost.')
          const next = await outcome(() => client.getAccessToken())
          must(typeof next === 'string', `The next refresh ends with ${next}`)
        } else {
          const said = await (value as () => Response)().clone().text()
          must(said.includes('invalid_grant'), 'The session ended without invalid_grant.')
        }
        client.dispose()
      }),
  },
  {
    name: 'a code exchange that meets anything signs in or stores nothing',
    cost: 20,
    make: () =>
      fc.asyncProperty(answer(TOKENS) as fc.Arbitrary<unknown>, async value => {
        const { client, record } = hostileWorld({ tokens: value as () => Response })
        const end = await outcome(() => client.signIn())
        must(!(end instanceof LatchkeyError) || !(await record()), 'A refused answer was stored.')
        client.dispose()
      }),
  },
  {
    name: 'metadata of any kind is used or refused, and nobody is sent to what is no https',
    cost: 20,
    make: () =>
      fc.asyncProperty(answer(METADATA) as fc.Arbitrary<unknown>, async value => {
        let visited = ''
        const { client } = hostileWorld({ metadata: value as () => Response, callback: good => good })
        client.events.subscribe(event => {
          if (event.type === 'metadata-response') visited = event.issuer
        })
        await outcome(() => client.signIn())
        must(!/^(javascript|data|http):/.test(visited), `It took ${visited}.`)
        client.dispose()
      }),
  },
  {
    name: 'keys of any kind are used or refused',
    cost: 20,
    async make() {
      const valid = (await jwks()).keys[0] as Record<string, unknown>
      const sets = fc.oneof(
        answer({ keys: [valid] }),
        mutatedJson(valid).map(
          text => () =>
            new Response(`{"keys":[${text},null,7,${JSON.stringify(valid)}]}`, {
              headers: { 'content-type': 'application/json' },
            }),
        ),
      )
      return fc.asyncProperty(sets as fc.Arbitrary<unknown>, async value => {
        const { client } = hostileWorld({
          scope: 'openid read',
          keys: value as () => Response,
          tokens: async ({ nonce }) =>
            Response.json({ ...TOKENS, id_token: await signed({ ...claims(), nonce }) }),
        })
        await outcome(() => client.signIn())
        client.dispose()
      })
    },
  },
  {
    name: 'an ID Token that is not the one that was signed signs nobody in',
    cost: 20,
    async make() {
      const valid = await signed({ ...claims(), nonce: 'other' })
      return fc.asyncProperty(mutatedJwt(valid) as fc.Arbitrary<unknown>, async value => {
        const { client, record } = hostileWorld({
          scope: 'openid read',
          tokens: () => Response.json({ ...TOKENS, id_token: value }),
        })
        const end = await outcome(() => client.signIn())
        must(end instanceof LatchkeyError && !(await record()), 'Somebody was signed in.')
        client.dispose()
      })
    },
  },
  {
    name: 'a callback address of any kind is handled, left alone or refused, and sends no code that was not given',
    cost: 20,
    make: () =>
      fc.asyncProperty(
        fc.tuple(fc.string({ unit: 'binary' }), fc.boolean()) as fc.Arbitrary<unknown>,
        async value => {
          const [text, isAppended] = value as [string, boolean]
          const { client, record } = hostileWorld({
            callback: good => (isAppended ? good + text : `https://app.example.com/callback?${text}`),
          })
          const end = await outcome(() => client.signIn())
          must(!(end instanceof LatchkeyError) || !(await record()), 'A refused answer was stored.')
          await outcome(() => client.handleCallback(`https://app.example.com/callback?${text}`))
          client.dispose()
        },
      ),
  },
]

export const properties: readonly Property[] = [...parsers, ...clients]
