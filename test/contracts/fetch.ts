import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BuiltCall, buildCall, type Realm } from '../support/built-call.ts'
import { type CallKinds, type CallSpec, fetchCalls } from '../support/fetch-calls.ts'
import { authorizationOf, type Recorded } from '../support/recorded.ts'
import { firstAuthorization, type RecordedClient, recordedClient } from '../support/recorded-client.ts'

export interface FetchPlace {
  readonly origin: string
  /** Removes and returns the requests that the recording server received under a path. */
  take(under: string): Promise<Recorded[]> | Recorded[]
  readonly kinds: Omit<CallKinds, 'anything'>
  readonly seed: number
  /** Creates the values that another realm would. */
  readonly realm: Realm
  /** Whether fetch sends headers in an order that an additional header changes: Chromium keeps them in a hash table. */
  readonly shuffles: boolean
}

/** The number of simultaneous calls, and of rounds. */
const AT_ONCE = 8
const ROUNDS = { compared: 280, replayed: 160 }
const LEAST = 1000

let lastFolder = 0

/** The result of a call. */
const endOf = (call: BuiltCall, fetch: typeof globalThis.fetch) =>
  (fetch as (...args: BuiltCall['args']) => Promise<Response>)(...call.args).then(
    async ({ status, type, redirected, url, body }) => {
      await body?.cancel()
      return { status, type, redirected, url }
    },
    (error: Error) => ({
      rejected: error === call.reason ? 'the reason of the caller' : error.name,
      type: Object.prototype.toString.call(error) + (error instanceof TypeError),
    }),
  )

/** The result of a call and its visible effects: before, immediately, and afterwards. */
async function outcomeOf(call: BuiltCall, fetch: typeof globalThis.fetch, twice: boolean | undefined) {
  const before = call.look()
  const end = endOf(call, fetch)
  const atOnce = call.look()
  const second = twice ? await Promise.all([end, endOf(call, fetch)]) : undefined
  call.meddle()
  const ends = second ?? [await end]
  // fetch stops at the first invalid value
  const reads = ends.some(one => 'rejected' in one) ? undefined : call.reads
  return { end: ends[0], ends, before, atOnce, reads, dispatched: call.dispatched.times }
}

/** A request without its Authorization header. */
const essence = ({ headers, ...rest }: Recorded, shuffles: boolean) => {
  const others = headers.filter(([name]) => name !== 'authorization')
  return { ...rest, headers: shuffles ? others.map(String).sort() : others }
}

/** The received requests, by call. */
const byPath = (records: Recorded[], folder: string, count: number) =>
  Array.from({ length: count }, (_, index) =>
    records.filter(({ url }) => url.startsWith(`${folder}${index}/`)),
  )

/** Compares `client.fetch` with `fetch` itself on a real server. The same suite runs in every runtime. */
export function fetchContract(name: string, open: () => Promise<FetchPlace> | FetchPlace) {
  describe(name, () => {
    let place: FetchPlace
    let client: RecordedClient

    beforeAll(async () => {
      place = await open()
      await (await fetch(place.origin)).text() // opens the connection and loads undici's dispatcher
    })
    afterAll(() => client?.dispose())

    const connect = async () => {
      client?.dispose()
      client = await recordedClient([place.origin])
      return client
    }

    /** Checks the property for rounds of calls. Each round is sent at once. */
    const check = async (anything: boolean, numRuns: number, holds: (specs: CallSpec[]) => Promise<void>) => {
      console.log(`fetch contract, ${name}: seed ${place.seed}`)
      const calls = fc.tuple(
        ...Array<fc.Arbitrary<CallSpec>>(AT_ONCE).fill(fetchCalls({ ...place.kinds, anything })),
      )
      await fc.assert(fc.asyncProperty(calls, holds), {
        seed: place.seed,
        numRuns,
        interruptAfterTimeLimit: 100_000,
      })
    }

    const send = async (specs: CallSpec[], folder: string, fetch: typeof globalThis.fetch) => {
      const at = (index: number) => ({ origin: place.origin, path: `${folder}${index}/`, realm: place.realm })
      const calls = specs.map((spec, index) => buildCall(spec, at(index)))
      const ends = await Promise.all(
        calls.map((call, index) => call && outcomeOf(call, fetch, specs[index]?.twice)),
      )
      return { ends, records: byPath(await place.take(folder), folder, specs.length) }
    }

    test('client.fetch sends what fetch sends and settles as fetch settles, for any arguments [F3.1, F3.2, F3.3, F3.5, F3.7, F3.8, F3.10]', {
      timeout: 120_000,
    }, async () => {
      const { fetch: clientFetch } = await connect()
      const bareFetch: typeof fetch = (...args) => globalThis.fetch(...args)
      let [pairs, refused, withToken] = [0, 0, 0]
      await check(true, ROUNDS.compared, async specs => {
        const folder = `/p/${++lastFolder}/`
        const bare = await send(specs, folder, bareFetch)
        const ours = await send(specs, folder, clientFetch)
        expect(ours.ends).toEqual(bare.ends)
        for (const [index, sent] of bare.records.entries()) {
          // an aborted request may have arrived or not
          if (specs[index]?.init?.signal === 'aborted at once') continue
          const arrived = ours.records[index] as Recorded[]
          // of two simultaneous calls, either may arrive first
          const [expected, actual] = [sent, arrived].map(list =>
            list.map(each => JSON.stringify(essence(each, place.shuffles))).sort(),
          )
          expect({ ...specs[index], arrived: actual }).toEqual({ ...specs[index], arrived: expected })
          // no such header may be added to `no-cors` requests
          const bearer = specs[index]?.init?.others?.mode === 'no-cors' ? [] : [firstAuthorization]
          for (const one of arrived) expect(authorizationOf(one)).toEqual(bearer)
          if (!bare.ends[index]) continue
          pairs++
          if (sent.length === 0) refused++
          if (arrived.length > 0) withToken++
        }
      })
      console.log(`fetch contract, ${name}: ${pairs} pairs, ${withToken} sent, ${refused} refused`)
      expect(pairs).toBeGreaterThanOrEqual(LEAST)
      expect(refused).toBeGreaterThan(50)
      expect(client.refreshes()).toBe(0)
    })

    test('a replay after a 401 sends the same request, byte for byte, except for the token [RQ09, RQ18]', {
      timeout: 120_000,
    }, async () => {
      const { fetch: clientFetch } = await connect()
      let [replayed, once] = [0, 0]
      await check(false, ROUNDS.replayed, async specs => {
        const { ends, records } = await send(specs, `/p/401-once/${++lastFolder}/`, clientFetch)
        for (const [index, spec] of specs.entries()) {
          const [first, second, ...more] = records[index] as Recorded[]
          const end = ends[index]?.end
          expect({ spec, more }).toEqual({ spec, more: [] })
          if (!first)
            expect({ spec, end }).toEqual({
              spec,
              end: end && { rejected: 'TypeError', type: expect.anything() },
            })
          else if (!second) {
            expect({ spec, body: spec.init?.body?.kind, end }).toMatchObject({
              spec,
              body: 'stream',
              end: { status: 401 },
            })
            once++
          } else {
            expect({ spec, end, sent: essence(second, false) }).toMatchObject({
              spec,
              end: { status: 200 },
              sent: essence(first, false),
            })
            expect(authorizationOf(second)).toEqual([expect.stringMatching(/^Bearer access-\d+$/)])
            expect(authorizationOf(second)).not.toEqual(authorizationOf(first))
            replayed++
          }
        }
      })
      console.log(`fetch contract, ${name}: ${replayed} replayed, ${once} sent once`)
      expect(replayed).toBeGreaterThanOrEqual(LEAST)
      expect(once > 10).toBe(place.kinds.streams)
    })

    test('a runtime-specific member of init is passed on as the same object', async () => {
      const seen: unknown[] = []
      const { fetch: clientFetch, dispose } = await recordedClient([place.origin], {
        async fetch(_input, init) {
          seen.push(init)
          return new Response()
        },
      })
      const own = {
        dispatcher: { dispatch() {} },
        cf: { cacheTtl: 5 },
        next: { tags: ['a'] },
        priority: 'low',
        agent: () => {},
      }
      await clientFetch(`${place.origin}/p/x`, { ...own } as RequestInit)
      dispose()
      expect(seen).toHaveLength(1)
      for (const [name, value] of Object.entries(own))
        expect(seen[0]).toHaveProperty(
          name,
          expect.toSatisfy(is => is === value),
        )
    })
  })
}
