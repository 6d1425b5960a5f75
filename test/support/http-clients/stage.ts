import { afterAll, afterEach, beforeAll } from 'vitest'
import { createScriptedUserAgent } from '../../../examples/demo/scripted-user-agent.ts'
import { type Client, createClient, loopback, memory } from '../../../src/node.ts'
import { startTestServers, type TestServers } from '../server.ts'
import { type Api, startApi } from './api.ts'

export interface LibraryStage {
  readonly servers: TestServers
  readonly api: Api
  /** Creates a client without a session. It is disposed after the test. */
  client(): Client
  /** Creates a client and signs in at the real provider, with its forms and a loopback redirect. */
  signedIn(): Promise<Client>
  /** Forgets all requests; access tokens live for an hour again. Runs after every test. */
  forget(): void
}

/** Starts one set of servers for the tests of a file. */
export function libraryStage(): LibraryStage {
  let servers: TestServers | undefined
  let api: Api | undefined
  const clients: Client[] = []

  beforeAll(async () => {
    servers = await startTestServers('http://127.0.0.1:1', 'http://127.0.0.1:2')
    api = await startApi(servers)
  })
  afterEach(() => {
    for (const client of clients.splice(0)) client.dispose()
    stage.forget()
  })
  afterAll(async () => {
    await api?.close()
    await servers?.close()
  })

  const up = <T>(server: T | undefined): T => {
    if (!server) throw new Error('The servers are up while tests run, and only then.')
    return server
  }
  const stage: LibraryStage = {
    get servers() {
      return up(servers)
    },
    get api() {
      return up(api)
    },
    client() {
      const client = createClient({
        issuer: stage.servers.issuer,
        clientId: 'demo-cli',
        scope: 'openid offline_access notes:read',
        allowedOrigins: [stage.api.origin],
        store: memory(),
        userAgent: loopback({ open: createScriptedUserAgent({ userName: 'alice' }) }),
      })
      clients.push(client)
      return client
    },
    async signedIn() {
      const client = stage.client()
      await client.signIn()
      return client
    },
    forget() {
      stage.servers.forget()
      stage.api.forget()
    },
  }
  return stage
}
