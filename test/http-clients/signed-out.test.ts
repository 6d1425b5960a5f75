import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { AuthorizationRequiredError, type Client, createClient, memory } from '../../src/runtime/node.ts'
import { type Api, startApi } from '../support/http-clients/api.ts'
import { type Driver, driversByName } from '../support/http-clients/drivers.ts'
import { startTestServers, type TestServers } from '../support/server.ts'

let servers: TestServers
let api: Api
let client: Client

beforeAll(async () => {
  servers = await startTestServers('http://127.0.0.1:1', 'http://127.0.0.1:2')
  api = await startApi(servers)
  client = createClient({
    issuer: servers.issuer,
    clientId: 'demo-cli',
    allowedOrigins: [api.origin],
    store: memory(),
  })
})
afterEach(() => api.forget())
afterAll(async () => {
  client?.dispose()
  await api?.close()
  await servers?.close()
})

const readOnce = async ({ connect }: Driver) => {
  const library = await connect(client, api.origin)
  await library.read(7)
}

test.each(driversByName)(
  '%s tells a user who is signed out by the error that the docs name',
  async (_, driver) => {
    const thrown: unknown = await readOnce(driver).catch(error => error)
    const { cause } = thrown as Error
    if (driver.errorIs === 'thrown') expect(thrown).toBeInstanceOf(AuthorizationRequiredError)
    if (driver.errorIs === 'cause') expect(cause).toBeInstanceOf(AuthorizationRequiredError)
    if (driver.errorIs === 'message') expect((cause as Error).message).toContain('AuthorizationRequiredError')
    expect(api.requests).toEqual([])
    expect(servers.tokenRequests).toEqual([])
  },
)
