import { afterEach, describe, expect, test } from 'vitest'
import type { Client } from '../../src/node.ts'
import { driversByName, type Library } from '../support/http-clients/drivers.ts'
import { expectReplays, manyNotes, ROUND, refusalsAt, TEXT } from '../support/http-clients/expectations.ts'
import { libraryStage } from '../support/http-clients/stage.ts'

const MANY = 20

const stage = libraryStage()
let client: Client
let library: Library | undefined

afterEach(async () => {
  await library?.close?.()
  library = undefined
})

const isExpired = ({ session }: Client): boolean =>
  session.status === 'signed-in' && Date.now() >= (session.accessTokenExpiresAt ?? Infinity)

const round = async ({ read, write }: Library) => [await read(7), await write(TEXT)]

const many = ({ read, write }: Library) =>
  Promise.all(manyNotes(MANY).map((_, index) => (index % 2 ? write(`${TEXT} ${index}`) : read(index))))

describe.each(driversByName)('%s over client.fetch', (_, { connect }) => {
  test('continues with one refresh when its token is revoked meanwhile, and every body arrives complete', async () => {
    client = await stage.signedIn()
    library = await connect(client, stage.api.origin)
    expect(await round(library)).toEqual(ROUND)
    expect(refusalsAt(stage.api)).toEqual([])
    expect(stage.servers.refreshes()).toEqual([])

    await stage.servers.revokeAccessTokensOf('alice')
    stage.api.forget()
    expect(await library.write(TEXT)).toEqual(ROUND[1])
    expect(refusalsAt(stage.api).filter(({ method }) => method === 'POST')).toHaveLength(1)
    await expectReplays(stage.api)
    expect(stage.servers.refreshes()).toMatchObject([{ status: 200 }])

    expect(await round(library)).toEqual(ROUND)
    await stage.servers.revokeAccessTokensOf('alice')
    expect(await round(library)).toEqual(ROUND)
    await expectReplays(stage.api)
    expect(stage.servers.refreshes()).toMatchObject([{ status: 200 }, { status: 200 }])
    expect(stage.servers.replays()).toEqual([])
  })

  test('continues with one refresh when its token expires meanwhile, and sends nothing with the old one', async () => {
    stage.servers.issueFor(1)
    client = await stage.signedIn()
    library = await connect(client, stage.api.origin)
    expect(await round(library)).toEqual(ROUND)
    await expect.poll(() => isExpired(client)).toBe(true)

    stage.forget() // from here on, access tokens last an hour
    expect(await round(library)).toEqual(ROUND)
    expect(refusalsAt(stage.api)).toEqual([])
    expect(stage.servers.refreshes()).toMatchObject([{ status: 200 }])
    expect(stage.servers.replays()).toEqual([])
  })

  test(`shares one refresh among ${MANY} simultaneous calls`, async () => {
    client = await stage.signedIn()
    library = await connect(client, stage.api.origin)
    await stage.servers.revokeAccessTokensOf('alice')
    expect(await many(library)).toEqual(manyNotes(MANY))
    expect(refusalsAt(stage.api).length).toBeGreaterThan(0)
    await expectReplays(stage.api)
    expect(stage.servers.refreshes()).toMatchObject([{ status: 200 }])
    expect(stage.servers.replays()).toEqual([])
  })
})

test.each(driversByName.filter(([, { example }]) => example === 'openai'))(
  '%s reads a streamed response whose first request got a 401',
  async (_, { connect }) => {
    client = await stage.signedIn()
    library = await connect(client, stage.api.origin)
    await stage.servers.revokeAccessTokensOf('alice')
    expect(await library.stream?.(TEXT)).toBe(TEXT)
    expect(refusalsAt(stage.api).filter(({ method }) => method === 'POST')).toHaveLength(1)
    await expectReplays(stage.api)
    expect(stage.servers.refreshes()).toMatchObject([{ status: 200 }])
  },
)
