import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../src/runtime/node.ts'
import { type Api, startApi } from '../support/http-clients/api.ts'
import { driversByName, type Library } from '../support/http-clients/drivers.ts'
import { expectReplays, manyNotes, ROUND, refusalsAt, TEXT } from '../support/http-clients/expectations.ts'
import { isExpired, signedInAt } from '../support/http-clients/sign-in.ts'
import { startTestServers, type TestServers } from '../support/server.ts'

const MANY = 20

let servers: TestServers
let api: Api
let client: Client
let library: Library | undefined

beforeAll(async () => {
  servers = await startTestServers('http://127.0.0.1:1', 'http://127.0.0.1:2')
  api = await startApi(servers)
})
afterEach(async () => {
  await library?.close?.()
  library = undefined
  client?.dispose()
  forget()
})
afterAll(async () => {
  await api?.close()
  await servers?.close()
})

const forget = () => {
  servers.forget()
  api.forget()
}

const round = async ({ read, write }: Library) => [await read(7), await write(TEXT)]

const many = ({ read, write }: Library) =>
  Promise.all(manyNotes(MANY).map((_, index) => (index % 2 ? write(`${TEXT} ${index}`) : read(index))))

describe.each(driversByName)('%s over client.fetch', (_, { connect }) => {
  test('goes on with one refresh when its token is revoked in mid-run, and every body arrives whole', async () => {
    client = await signedInAt(servers, api)
    library = await connect(client, api.origin)
    expect(await round(library)).toEqual(ROUND)
    expect(refusalsAt(api)).toEqual([])
    expect(servers.refreshes()).toEqual([])

    await servers.revokeAccessTokensOf('alice')
    api.forget()
    expect(await library.write(TEXT)).toEqual(ROUND[1])
    expect(refusalsAt(api).filter(({ method }) => method === 'POST')).toHaveLength(1)
    await expectReplays(api)
    expect(servers.refreshes()).toMatchObject([{ status: 200 }])

    expect(await round(library)).toEqual(ROUND)
    await servers.revokeAccessTokensOf('alice')
    expect(await round(library)).toEqual(ROUND)
    await expectReplays(api)
    expect(servers.refreshes()).toMatchObject([{ status: 200 }, { status: 200 }])
    expect(servers.replays()).toEqual([])
  })

  test('goes on with one refresh when its token expires in mid-run, and sends nothing with the old one', async () => {
    servers.issueFor(1)
    client = await signedInAt(servers, api)
    library = await connect(client, api.origin)
    expect(await round(library)).toEqual(ROUND)
    await expect.poll(() => isExpired(client)).toBe(true)

    forget() // access tokens of an hour from here on
    expect(await round(library)).toEqual(ROUND)
    expect(refusalsAt(api)).toEqual([])
    expect(servers.refreshes()).toMatchObject([{ status: 200 }])
    expect(servers.replays()).toEqual([])
  })

  test(`shares one refresh among ${MANY} calls at once`, async () => {
    client = await signedInAt(servers, api)
    library = await connect(client, api.origin)
    await servers.revokeAccessTokensOf('alice')
    expect(await many(library)).toEqual(manyNotes(MANY))
    expect(refusalsAt(api).length).toBeGreaterThan(0)
    await expectReplays(api)
    expect(servers.refreshes()).toMatchObject([{ status: 200 }])
    expect(servers.replays()).toEqual([])
  })
})

test.each(driversByName.filter(([, { example }]) => example === 'openai'))(
  '%s reads a streamed answer whose request met a 401',
  async (_, { connect }) => {
    client = await signedInAt(servers, api)
    library = await connect(client, api.origin)
    await servers.revokeAccessTokensOf('alice')
    expect(await library.stream?.(TEXT)).toBe(TEXT)
    expect(refusalsAt(api).filter(({ method }) => method === 'POST')).toHaveLength(1)
    await expectReplays(api)
    expect(servers.refreshes()).toMatchObject([{ status: 200 }])
  },
)
