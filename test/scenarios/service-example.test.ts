import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient, memory } from '../../src/node.ts'
import type { TestServer } from '../../src/testing.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import { type ServedServer, serveTestServer } from '../support/served-server.ts'
import { hasService } from '../support/services.ts'
import { EXCHANGE, strictGrants } from '../support/strict-grants.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const SECRET = 'a secret of the service'
const double = strictGrants()
let server: TestServer
let redis: RedisServer
let served: ServedServer | undefined
const services: { child: ChildProcess; url: string }[] = []

/** examples/service as a process. */
async function startService() {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/service/service.ts'], {
    cwd: root,
    env: {
      ...process.env,
      ...{ SERVICE_ISSUER: server.issuer, SERVICE_API: server.api, SERVICE_SECRET: SECRET },
      ...{ SERVICE_REDIS: `redis://127.0.0.1:${redis.port}`, SERVICE_KEY: '7'.repeat(64), SERVICE_PORT: '0' },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  services.push({ child, url: '' })
  const [said] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  const { port } = JSON.parse(String(said).replace('listening on ', '')) as { port: number }
  const service = services.find(one => one.child === child)
  if (service) service.url = `http://127.0.0.1:${port}`
}

// elsewhere the tests do not exist, instead of being skipped
const isHere = hasService('Redis')
const whereFound = isHere ? test : () => {}
beforeAll(async () => {
  if (!isHere) return
  redis = await startRedis()
  served = await serveTestServer({
    ...{ clientId: 'my-service', grants: double.grants },
    respond: (_request, { subject }) => Response.json({ notes: `of ${subject}` }),
  })
  server = served.server
  await Promise.all([startService(), startService()])
}, 60_000)
afterAll(async () => {
  for (const { child } of services) if (child.exitCode === null) child.kill('SIGKILL')
  await served?.close()
  await redis?.close()
})

const get = async (path: string, accessToken?: string) => {
  const headers = accessToken ? { authorization: `Bearer ${accessToken}` } : undefined
  const answers = await Promise.all(
    services
      .flatMap(({ url }) => [`${url}${path}`, `${url}${path}`])
      .map(url => fetch(url, headers && { headers })),
  )
  return Promise.all(answers.map(async answer => [answer.status, await answer.text()]))
}
const granted = (type: string) => double.seen.filter(({ form }) => form.grant_type === type)

whereFound(
  'the example of a service calls one API with one token of its own, in all its processes, and another for its user',
  async () => {
    const own = [200, JSON.stringify({ notes: 'of my-service' })]
    expect(await get('/own')).toEqual([own, own, own, own])
    expect(granted('client_credentials')).toHaveLength(1)
    expect(served?.credentials).toEqual([`my-service:${SECRET}`])

    const alice = createClient({ ...server.options('alice'), fetch: server.fetch, store: memory() })
    await alice.signIn()
    const subjectToken = await alice.getAccessToken()
    const hers = [200, JSON.stringify({ notes: 'of alice' })]
    expect(await get('/for-user', subjectToken)).toEqual([hers, hers, hers, hers])
    expect(granted(EXCHANGE).map(({ form }) => form)).toEqual([
      expect.objectContaining({ subject_token: subjectToken, audience: 'notes' }),
    ])
    expect((await get('/for-user')).map(([status]) => status)).toEqual([401, 401, 401, 401])

    const names = (await redis.command('KEYS', '*')) as string[]
    const values = await Promise.all(
      names.filter(name => name.includes(':value:')).map(name => redis.command('GET', name)),
    )
    expect(values.length).toBeGreaterThan(1)
    expect(JSON.stringify([names, values])).not.toContain(subjectToken)

    for (const { child } of services) child.kill('SIGTERM')
    const codes = await Promise.all(
      services.map(({ child }) => child.exitCode ?? once(child, 'exit').then(([code]) => code)),
    )
    expect(codes).toEqual([0, 0])
  },
  60_000,
)
