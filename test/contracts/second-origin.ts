import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { session } from '../../bench/support/stored-session.ts'
import { authorizationOf, type Recorded } from '../support/recorded.ts'
import { firstAuthorization, type RecordedClient, recordedClient } from '../support/recorded-client.ts'

export interface TwoOrigins {
  /** The only origin that may receive tokens; on 127.0.0.1. */
  readonly api: string
  readonly elsewhere: string
  /** Removes and returns the requests that this origin's server received. */
  take(origin: string): Promise<Recorded[]> | Recorded[]
  /** Whether names below `localhost` resolve to this machine. */
  readonly subdomains: boolean
  /** Whether relative URLs are resolved against a page. */
  readonly relative: boolean
}

const hostOf = ({ headers }: Recorded) => headers.find(([name]) => name === 'host')?.[1]
const others = (origin: string) => [origin, origin.replace('127.0.0.1', 'localhost')]

/** Real servers that must not receive a token. The same suite runs in every runtime. */
export function secondOriginContract(name: string, open: () => TwoOrigins) {
  describe(`with ${name}`, () => {
    let place: TwoOrigins
    let client: RecordedClient

    beforeAll(() => {
      place = open()
    })
    beforeEach(async () => {
      for (const origin of [place.api, place.elsewhere]) await place.take(origin)
      client = await recordedClient([place.api])
    })
    afterEach(() => client.dispose())

    /** The requests to the second origin, under any name, after a check that none carried a token. */
    const arrivedElsewhere = async () => {
      const [atApi, rest] = [await place.take(place.api), await place.take(place.elsewhere)]
      const isApi = (record: Recorded) => hostOf(record) === new URL(place.api).host
      const elsewhere = [...rest, ...atApi.filter(record => !isApi(record))]
      expect(elsewhere.flatMap(authorizationOf)).toEqual([])
      for (const secret of [session.accessToken, session.refreshToken, 'access-', 'refresh-']) {
        expect(JSON.stringify(elsewhere)).not.toContain(secret)
      }
      return { elsewhere, atApi: atApi.filter(isApi) }
    }

    const shapes = (url: string): Parameters<typeof fetch>[] => [
      [url],
      [url, { method: 'POST', body: 'mine', headers: { 'x-mine': 'yes' } }],
      [new Request(url, { method: 'PUT', body: 'mine' })],
    ]

    test.each([301, 302, 303, 307, 308])(
      'a redirect by %i from the API to another origin carries no token',
      async status => {
        let calls = 0
        for (const target of [...others(place.elsewhere), place.api.replace('127.0.0.1', 'localhost')]) {
          for (const args of shapes(
            `${place.api}/redirect/${status}?to=${encodeURIComponent(`${target}/there`)}`,
          )) {
            calls++
            const response = await client.fetch(...args)
            expect([response.status, response.url]).toEqual([200, `${target}/there`])
          }
        }
        const { elsewhere, atApi } = await arrivedElsewhere()
        expect(elsewhere.map(({ url }) => url)).toEqual(Array(calls).fill('/there'))
        expect(atApi.map(authorizationOf)).toEqual(Array(calls).fill([firstAuthorization]))
      },
    )

    test('a redirect within the API keeps the token, and a redirect to another origin and back does not restore it [RQ05, RQ06]', async () => {
      const to = (url: string) => `/redirect/307?to=${encodeURIComponent(url)}`
      await client.fetch(`${place.api}${to(`${place.api}/within`)}`)
      await client.fetch(`${place.api}${to(`${place.elsewhere}${to(`${place.api}/back`)}`)}`)
      const { elsewhere, atApi } = await arrivedElsewhere()
      expect(elsewhere).toHaveLength(1)
      const at = (path: string) => atApi.filter(({ url }) => url === path).map(authorizationOf)
      expect(at('/within')).toEqual([[firstAuthorization]])
      expect(at('/back')).toEqual([[]])
    })

    test('another origin that responds to a redirected call with 401 gets no token, neither the old nor a new one', async () => {
      const target = encodeURIComponent(`${place.elsewhere}/401-always/`)
      for (const args of shapes(`${place.api}/redirect/307?to=${target}`)) {
        expect((await client.fetch(...args)).status).toBe(401)
      }
      expect((await arrivedElsewhere()).elsewhere.length).toBeGreaterThanOrEqual(3)
    })

    test('other ports, look-alike hosts, user-info and protocol-relative addresses get no token [RQ03]', async () => {
      const [api, other] = [new URL(place.api), new URL(place.elsewhere)]
      const reached = [
        ...others(place.elsewhere),
        `http://localhost:${api.port}`,
        `http://127.1:${other.port}`,
        `http://127.0.0.1:${other.port}\\@${api.host}`,
        `HTTP://LOCALHOST:${api.port}`,
        ...(place.relative ? [`//${other.host}`, `\\\\${other.host}`, `//localhost:${api.port}`] : []),
      ]
      const lookAlikes = ['api', '127.0.0.1', 'localhost.evil', 'xn--lcalhost-65g', 'evil-127-0-0-1']
      if (place.subdomains) {
        for (const { port } of [api, other])
          reached.push(...lookAlikes.map(label => `http://${label}.localhost:${port}`))
      }
      for (const base of reached) {
        for (const args of shapes(`${base}/there`))
          expect((await client.fetch(...args)).status, base).toBe(200)
      }
      // fetch itself does not reach these in every runtime
      const perhaps = [
        `http://user@${api.host}`,
        `http://user:pass@${api.host}`,
        `http://${api.host}@${other.host}`,
        `http://0.0.0.0:${api.port}`,
        `http://127.0.0.2:${api.port}`,
        `http://localhost.:${api.port}`,
      ]
      for (const base of perhaps) await client.fetch(`${base}/there`).catch(() => {})
      const { elsewhere, atApi } = await arrivedElsewhere()
      expect(elsewhere.length).toBeGreaterThanOrEqual(3 * reached.length)
      expect(atApi).toEqual([])
      expect(client.refreshes()).toBe(0)
    })
  })
}
