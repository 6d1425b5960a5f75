import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Tab } from '../../support/e2e-browser.ts'
import { startApache, startHaproxy, startNginx } from '../../support/gateway-programs.ts'
import { type GatewayStage, startGatewayStage } from '../../support/gateway-stage.ts'
import type { GatewayWorld } from '../../support/gateways.ts'
import { hasService, type ServiceName } from '../../support/services.ts'

const audience = 'https://api.example.com'

const call = (tab: Tab, path = '/notes') => tab.run(where => window.behindGateway.call(where), path)
const stateOf = (tab: Tab) =>
  tab.run(() => ({
    status: window.behindGateway.client.session.status,
    refreshes: window.behindGateway.refreshes(),
    stepUps: window.behindGateway.stepUps(),
  }))
const untouched = { status: 'signed-in', refreshes: 0, stepUps: 0 }

interface Setup {
  start(): Promise<GatewayStage>
  /** The scheme of its challenges. */
  readonly scheme: string
  /**
   * Signs in, and leaves the app with an access token that the gateway refuses although the app takes it for fresh. The next
   * token is good.
   */
  withRefusedToken(stage: GatewayStage): Promise<Tab>
  /** The path and the number of calls after which the next one gets 429. */
  readonly busy: { readonly path: string; readonly after: number; readonly retryAfter: string }
  /** Stops what the gateway depends on. It does not start again. */
  stop(world: GatewayWorld): unknown
}

const withExpiredJwt = async ({ world, signedIn }: GatewayStage) => {
  world.issueExpired(true)
  try {
    return await signedIn('notes:read')
  } finally {
    world.issueExpired(false)
  }
}

const stopApi = ({ upstream }: GatewayWorld) => {
  upstream.closeAllConnections()
  upstream.close()
}

const setups = {
  nginx: {
    start: () =>
      startGatewayStage({
        start: (world, changes) =>
          startNginx({
            ...world,
            credentials: world.server.introspectionCredentials,
            changes: { ...changes, 'rate=20r/s': 'rate=1r/m', 'burst=40': 'burst=2' },
          }),
      }),
    scheme: 'Bearer',
    async withRefusedToken({ world, signedIn }) {
      const tab = await signedIn('notes:read')
      await world.server.revokeAccessTokensOf('alice', 'page')
      return tab
    },
    busy: { path: '/notes', after: 3, retryAfter: '1' },
    stop: world => Object.assign(world.introspections, { isDown: true }),
  },
  HAProxy: {
    start: () =>
      startGatewayStage({
        audience,
        start: (world, changes) =>
          startHaproxy({
            ...world,
            issuer: world.server.issuer,
            changes: {
              ...changes,
              'http_req_rate(2s)': 'http_req_rate(60s)',
              'expire 10s': 'expire 60s',
              'gt 60': 'gt 3',
            },
          }),
      }),
    scheme: 'Bearer',
    withRefusedToken: withExpiredJwt,
    busy: { path: '/notes', after: 3, retryAfter: '2' },
    stop: stopApi,
  },
  Apache: {
    start: () =>
      startGatewayStage({
        audience,
        isBound: true,
        start: (world, changes) => startApache({ ...world, issuer: world.server.issuer, changes }),
      }),
    scheme: 'DPoP',
    withRefusedToken: withExpiredJwt,
    // it has no limit of its own: this is the API's answer
    busy: { path: '/busy', after: 0, retryAfter: '7' },
    stop: stopApi,
  },
} satisfies Partial<Record<ServiceName, Setup>>

for (const [name, { start, scheme, withRefusedToken, busy, stop }] of Object.entries<Setup>(setups)) {
  if (!hasService(name as ServiceName)) continue
  describe(`a page on another origin than its API, which is behind ${name}`, () => {
    let stage: GatewayStage
    beforeAll(async () => {
      stage = await start()
    })
    afterEach(() => stage.closeProfiles())
    afterAll(() => stage?.close())

    test('is allowed to call by a preflight, and no other page is', async () => {
      const preflight = async (origin: string, more: Record<string, string>) => {
        const headers = { origin, ...more }
        const answer = await fetch(`${stage.world.url}/notes`, { method: 'OPTIONS', headers })
        const allowed = ['origin', 'methods', 'headers'].map(what =>
          answer.headers.get(`access-control-allow-${what}`),
        )
        return [answer.status, ...allowed]
      }
      const wanted = { 'access-control-request-method': 'PUT' }
      const rest = [expect.stringContaining('PUT'), expect.stringContaining('Authorization')]
      expect(await preflight(stage.origin, wanted)).toEqual([204, stage.origin, ...rest])
      expect(await preflight('https://app.example.com.example.org', wanted)).toEqual([204, null, ...rest])
      expect(await preflight(stage.origin, {})).toEqual([401, stage.origin, null, null])
    })

    test("gets the API's response", async () => {
      const tab = await stage.signedIn('notes:read')
      expect(await call(tab)).toEqual([200, null, null])
      expect(stage.world.seen.at(-1)).toMatchObject({ sub: 'alice', authorization: undefined })
      expect(await stateOf(tab)).toEqual(untouched)
    })

    test('reads the challenge for a call without a token', async () => {
      const tab = await stage.signedIn('notes:read')
      expect(await tab.run(() => window.behindGateway.callWithoutToken('/notes'))).toEqual([
        401,
        expect.stringMatching(new RegExp(`^${scheme}(?! error)`)),
        null,
      ])
    })

    test('refreshes once when the gateway refuses its access token, and gets the response', async () => {
      const tab = await withRefusedToken(stage)
      expect(await call(tab)).toEqual([200, null, null])
      expect(await stateOf(tab)).toEqual({ ...untouched, refreshes: 1 })
    })

    test('learns which scope it needs', async () => {
      const tab = await stage.signedIn('notes:write')
      expect(await call(tab)).toEqual([403, `${scheme} error="insufficient_scope", scope="notes:read"`, null])
      expect(await stateOf(tab)).toEqual({ ...untouched, stepUps: 1 })
    })

    test('learns when to call again after too many calls', async () => {
      const tab = await stage.signedIn('notes:read')
      for (let sent = 0; sent < busy.after; sent++) expect(await call(tab)).toEqual([200, null, null])
      expect(await call(tab, busy.path)).toEqual([429, null, busy.retryAfter])
      expect(await stateOf(tab)).toEqual(untouched)
    })

    test('is refused by the browser if the gateway does not know its origin', async () => {
      const tab = await stage.onOtherOrigin()
      const before = stage.world.seen.length
      expect(await tab.run(() => window.behindGateway.callWithoutToken('/notes'))).toContain(
        'Failed to fetch',
      )
      expect(stage.world.seen).toHaveLength(before)
    })

    // the last test: what it stops does not start again
    test('learns when to call again after a failure, and keeps its session', async () => {
      const tab = await stage.signedIn('notes:read')
      stop(stage.world)
      expect(await call(tab)).toEqual([503, null, '1'])
      expect(await stateOf(tab)).toEqual(untouched)
    })
  })
}
