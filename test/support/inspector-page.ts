import { type Client, createClient } from 'latchkey'
import type { Fetch } from 'latchkey/extending'
import { mountInspector } from 'latchkey/inspector'
import { createTestServer, slow, status, tabs } from 'latchkey/testing'

/** The actions of the inspector's tests in their page. */
export interface InspectorStage {
  readonly client: Client
  readonly server: ReturnType<typeof createTestServer>
  /** Calls a path of the API. @returns the status, or the code of the error. */
  call(path?: string): Promise<number | string>
  /** Revokes the access token at the server, and makes the token endpoint unavailable. */
  breakDown(): Promise<void>
  /** Refreshes in another tab of this app. */
  refreshElsewhere(): Promise<void>
  mount(options: { open?: boolean; docked?: boolean }): void
  unmount(): void
}

declare global {
  interface Window {
    stage: InspectorStage
  }
}

const server = createTestServer({ accessTokenSeconds: 60 })
server.user = { sub: 'u-1815', name: 'Ada Lovelace' }
// simulates the latency of a network
const fetch: Fetch = async (...args) => {
  await new Promise(resolve => setTimeout(resolve, 20 + Math.random() * 60))
  return server.fetch(...args)
}
const [here, elsewhere] = tabs(2, { server }).map(({ options }) =>
  createClient({ ...options, fetch, scope: 'openid profile offline_access notes:read' }),
)
if (!here || !elsewhere) throw new Error('There are two tabs.')
let unmount = () => {}

window.stage = {
  client: here,
  server,
  call: (path = '/notes') =>
    here.fetch(server.api + path).then(
      response => response.status,
      error => error.code,
    ),
  async breakDown() {
    server.revokeAccessTokens()
    server.faults.token.push(...Array.from({ length: 9 }, () => status(503, { 'retry-after': '30' })))
    await this.call('/notes')
    server.faults.token.splice(0, 9, slow(0))
  },
  async refreshElsewhere() {
    server.revokeAccessTokens()
    await elsewhere.start()
    await elsewhere.fetch(`${server.api}/notes`)
  },
  mount({ open, docked }) {
    const container = docked ? undefined : (document.querySelector<HTMLElement>('main') ?? undefined)
    unmount = mountInspector(here, { open, container })
  },
  unmount: () => unmount(),
}
